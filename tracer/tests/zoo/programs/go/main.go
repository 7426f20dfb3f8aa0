// Programs in Go for the zoo: `go-zoo MODE [leak]`, before a server on PORT + 1. Without `leak` they are healthy.
package main

import (
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const (
	leaks = 25
	// The server closes a connection that has been idle for this long.
	keep = 5 * time.Second
)

var (
	port     int
	idle     time.Duration
	leak     bool
	upstream string
)

// pace is the time between two leaks: longer than the twelfth of `--idle` that separates two clusters.
func pace() time.Duration { return idle / 5 }

// between is a random multiple of `--idle`.
func between(low, high float64) time.Duration {
	return time.Duration((low + rand.Float64()*(high-low)) * float64(idle))
}

// event records that a leak happens after this time; the harness reads the latest time.
func event(after time.Duration) {
	at := float64(time.Now().Add(after).UnixMilli()) / 1000
	path := filepath.Join(os.Getenv("DIR"), "last-event")
	must(os.WriteFile(path+".draft", []byte(strconv.FormatFloat(at, 'f', 3, 64)+"\n"), 0o644))
	must(os.Rename(path+".draft", path))
}

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func main() {
	var err error
	port, err = strconv.Atoi(os.Getenv("PORT"))
	must(err)
	idle, err = time.ParseDuration(os.Getenv("IDLE") + "s")
	must(err)
	rand.Seed(time.Now().UnixNano())
	leak = len(os.Args) > 2 && os.Args[2] == "leak"
	upstream = fmt.Sprintf("127.0.0.1:%d", port+1)
	modes := map[string]func(){"pool": pool, "slow": slow, "relay": relay, "clients": clients}
	modes[os.Args[1]]()
}
