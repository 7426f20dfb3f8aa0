// Package corpus has what all programs of the corpus share.
package corpus

import (
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"time"
)

// Pace is the pause between two leaks.
func Pace() time.Duration { return milliseconds("CORPUS_PACE_MS", 1000) }

// Idle is the value of `--idle`.
func Idle() time.Duration { return milliseconds("CORPUS_IDLE_MS", 10_000) }

// Count is the number of leaks.
func Count() int { return number("CORPUS_COUNT", 25) }

func milliseconds(name string, otherwise int) time.Duration {
	return time.Duration(number(name, otherwise)) * time.Millisecond
}

func number(name string, otherwise int) int {
	value, err := strconv.Atoi(os.Getenv(name))
	if err != nil || value < 1 {
		return otherwise
	}
	return value
}

// EachPace runs something once for each leak, with the pause in between.
func EachPace(do func(index int)) {
	for index := 0; index < Count(); index++ {
		if index > 0 {
			time.Sleep(Pace())
		}
		do(index)
	}
}

// Judge tells the runner to judge this process, and no others of the session.
func Judge() { fmt.Println("judge", os.Getpid()) }

// Stay reports ready, and returns when the runner closes standard input.
func Stay() {
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}

// Must exits, which fails the case, if something does not work.
func Must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
