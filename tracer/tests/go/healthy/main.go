// HTTP clients that leak nothing, each in a pattern that a simpler tool would take for a leak.
// Standard library only, loopback only.
//
//	healthy [-http2] read close drained ...
//
// Each word is a kind of client, from clients.go. The program starts its server, another process,
// prints "ready" and waits for a line on standard input. Then the clients start; when all are in
// their final state, it prints "started". It exits when standard input is closed.
package main

import (
	"bufio"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

var (
	useHTTP2 = flag.Bool("http2", false, "HTTPS with HTTP/2")
	serve    = flag.Bool("serve", false, "be the server")
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
	input := bufio.NewReader(os.Stdin)
	fmt.Println("ready")
	_, err := input.ReadString('\n')
	must(err)
	var started sync.WaitGroup
	for _, word := range flag.Args() {
		run := kinds[word]
		if run == nil {
			must(fmt.Errorf("no kind %q", word))
		}
		started.Add(1)
		c := &client{url: url, started: &started}
		c.Client = http.Client{Transport: &http.Transport{
			TLSClientConfig:     &tls.Config{InsecureSkipVerify: true},
			ForceAttemptHTTP2:   *useHTTP2,
			MaxIdleConnsPerHost: 100,
		}}
		go run(c)
	}
	started.Wait()
	fmt.Println("started")
	io.Copy(io.Discard, input)
}

// A client with a transport of its own.
type client struct {
	http.Client
	url     string
	started *sync.WaitGroup
	once    sync.Once
}

// It has reached its final state.
func (c *client) isUp() { c.once.Do(c.started.Done) }

// Repeats something slowly.
func (c *client) repeat(request func()) {
	for {
		request()
		c.isUp()
		time.Sleep(20 * time.Millisecond)
	}
}

func (c *client) get(path string) *http.Response {
	response, err := c.Get(c.url + path)
	must(err)
	return response
}

// Starts the same program as a server, which exits with this one, and returns its URL.
func startServer() string {
	command := exec.Command("/proc/self/exe", append([]string{"-serve"}, os.Args[1:]...)...)
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

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
