// An HTTP client that makes requests as fast as it can on command, and its server: measured by the
// benchmark, and traced by tests that end or kill the tracer meanwhile. Standard library only,
// loopback only.
//
//	pace [-connections 8]
//
// It starts its server, another process, and prints "ready". Then each line on standard input is a
// command, which it answers with one line:
//
//	run 2s    requests on all connections for that long: "ok REQUESTS CPU_TIME_US"
//	leak 5    responses that are never closed: "ok"
//	exec      it executes itself again, without its connections: "ready"
//
// It exits when standard input is closed.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

var (
	connections = flag.Int("connections", 8, "how many to use, each by one goroutine")
	serve       = flag.Bool("serve", false, "be the server")
)

// Nothing is ever written to it: the server gets EOF when this process exits. The garbage collector
// would close a file that nothing refers to.
var lifeline io.WriteCloser

func main() {
	flag.Parse()
	if *serve {
		server()
		return
	}
	url := startServer()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: *connections}}
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		results, err := perform(client, url, strings.Fields(lines.Text()))
		if err != nil {
			fmt.Println("error", err)
			continue
		}
		fmt.Println(append([]interface{}{"ok"}, results...)...)
	}
}

func perform(client *http.Client, url string, words []string) ([]interface{}, error) {
	switch {
	case len(words) == 2 && words[0] == "run":
		duration, err := time.ParseDuration(words[1])
		if err != nil {
			return nil, err
		}
		before := processorTime()
		requests, err := run(client, url, duration)
		return []interface{}{requests, (processorTime() - before).Microseconds()}, err
	case len(words) == 2 && words[0] == "leak":
		count, err := strconv.Atoi(words[1])
		for i := 0; i < count && err == nil; i++ {
			_, err = client.Get(url)
		}
		return nil, err
	case len(words) == 1 && words[0] == "exec":
		return nil, syscall.Exec("/proc/self/exe", os.Args, os.Environ())
	}
	return nil, errors.New("not a command")
}

// As many requests as possible on all connections, one after the other on each.
func run(client *http.Client, url string, duration time.Duration) (int, error) {
	end := time.Now().Add(duration)
	var group sync.WaitGroup
	counts := make([]int, *connections)
	failures := make([]error, *connections)
	for i := range counts {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			for time.Now().Before(end) && failures[i] == nil {
				failures[i] = request(client, url)
				counts[i]++
			}
		}(i)
	}
	group.Wait()
	total := 0
	for i, count := range counts {
		if failures[i] != nil {
			return 0, failures[i]
		}
		total += count
	}
	return total, nil
}

func request(client *http.Client, url string) error {
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// CPU time of this process so far, user and system.
func processorTime() time.Duration {
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// Starts the same program as a server, which exits with this one, and returns its URL.
func startServer() string {
	command := exec.Command("/proc/self/exe", "-serve")
	command.Stderr = os.Stderr
	var err error
	lifeline, err = command.StdinPipe()
	must(err)
	output, err := command.StdoutPipe()
	must(err)
	must(command.Start())
	line, err := bufio.NewReader(output).ReadString('\n')
	must(err)
	return strings.TrimSpace(line)
}

// The server prints its URL and exits when its standard input is closed.
func server() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Printf("http://%s\n", listener.Addr())
	must(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "twenty bytes of text")
	})))
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
