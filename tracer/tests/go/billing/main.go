// The program that the tool was made for: it calls a service, checks the status code and never
// closes the response. The leak is in billing.go; the fix is the line that is commented out there.
// Standard library only, loopback only.
//
//	billing [-count 25] [-bytes 20] [-tls | -http2] [-hang-up] [-every 2s]
//
// It starts its server, another process, and prints "ready". For each line on standard input, it
// makes -count calls and prints "done"; it exits when standard input is closed. With -every, it makes
// one call at each interval until it is killed.
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
	"time"
)

var (
	count    = flag.Int("count", 25, "calls for each line of input")
	bytes    = flag.Int("bytes", 20, "length of a response")
	useTLS   = flag.Bool("tls", false, "HTTPS with HTTP/1.1")
	useHTTP2 = flag.Bool("http2", false, "HTTPS with HTTP/2")
	hangUp   = flag.Bool("hang-up", false, "the server closes each connection after the response")
	every    = flag.Duration("every", 0, "call once each time, without being asked")
	serve    = flag.Bool("serve", false, "be the server")
)

var client = &http.Client{}

// Nothing is ever written to it: the server gets EOF when this process exits. The garbage collector
// would close a file that nothing refers to.
var lifeline io.WriteCloser

func main() {
	flag.Parse()
	if *serve {
		server()
		return
	}
	client.Transport = &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		ForceAttemptHTTP2: *useHTTP2,
	}
	url := startServer() + "/charge"
	fmt.Println("ready")
	for *every > 0 {
		must(doSomething(url))
		time.Sleep(*every)
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		for i := 0; i < *count; i++ {
			must(doSomething(url))
		}
		fmt.Println("done")
	}
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
