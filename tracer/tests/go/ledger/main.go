// For the tests in tracer/src/collect/ledger/as_root.rs: an HTTP client that executes commands, one
// per line, and answers each with `ok`. Standard library only, loopback only.
//
//	take N      N HTTP/1 responses are received and kept open
//	stream N    N HTTP/2 responses on one connection are received and kept open
//	read        all of them are read to EOF, those of HTTP/1 not closed
//	close       all of them are closed
//	drop        the server closes the connections of all of them, and the client does not read EOF
//	fail N      N requests fail: port closed, connection closed by the server, context canceled
//	race N      N requests on connections that the server closes at the same time
//	healthy N   N requests are made, read and closed, a few at a time
//	again       the process executes this program again
//
// First, it prints where the code of `ask` begins and ends.
package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// More than Go's HTTP/2 client lets a server send before the application reads.
const large = 6 << 20

func respond(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/small":
		io.WriteString(w, "twenty bytes of text")
	case "/large":
		w.Header().Set("Content-Length", strconv.Itoa(large))
		w.Write(make([]byte, large))
	case "/hangup":
		connection, _, err := w.(http.Hijacker).Hijack()
		must(err)
		connection.Close()
	case "/hang":
		<-r.Context().Done()
	}
}

func serve(useTLS bool, idle time.Duration) (string, *http.Server) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	server := &http.Server{Handler: http.HandlerFunc(respond), IdleTimeout: idle}
	if !useTLS {
		go server.Serve(listener)
		return "http://" + listener.Addr().String(), server
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(err)
	server.TLSConfig = &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}},
	}
	go server.ServeTLS(listener, "", "")
	return "https://" + listener.Addr().String(), server
}

var kept []*http.Response

//go:noinline
func ask(client *http.Client, url string) *http.Response {
	response, err := client.Get(url)
	must(err)
	return response
}

func many(count int, do func()) {
	var group sync.WaitGroup
	limit := make(chan struct{}, 8)
	for i := 0; i < count; i++ {
		group.Add(1)
		limit <- struct{}{}
		go func() {
			do()
			<-limit
			group.Done()
		}()
	}
	group.Wait()
}

func finish(response *http.Response, err error) {
	if err == nil {
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
}

func main() {
	entry := reflect.ValueOf(ask).Pointer()
	end := entry
	for runtime.FuncForPC(end) != nil && runtime.FuncForPC(end).Entry() == entry {
		end++
	}
	fmt.Println(entry, end)

	plain, server := serve(false, 0)
	secure, _ := serve(true, 0)
	hasty, _ := serve(false, time.Millisecond)
	client := &http.Client{Transport: &http.Transport{}}
	streams := &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		ForceAttemptHTTP2: true,
	}}

	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		command, number, _ := strings.Cut(lines.Text(), " ")
		count, _ := strconv.Atoi(number)
		switch command {
		case "take":
			for i := 0; i < count; i++ {
				kept = append(kept, ask(client, plain+"/small"))
			}
		case "stream":
			for i := 0; i < count; i++ {
				kept = append(kept, ask(streams, secure+"/large"))
			}
		case "read":
			for _, response := range kept {
				io.Copy(io.Discard, response.Body)
			}
		case "close":
			for _, response := range kept {
				response.Body.Close()
			}
			kept = nil
		case "drop":
			server.Close()
		case "fail":
			for i := 0; i < count; i++ {
				over, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
				for _, url := range []string{"http://127.0.0.1:1", plain + "/hangup", plain + "/hang", secure + "/hang"} {
					request, err := http.NewRequestWithContext(over, "GET", url, nil)
					must(err)
					finish(streams.Do(request))
				}
				cancel()
			}
		case "race":
			many(count, func() {
				finish(client.Get(hasty + "/small"))
				time.Sleep(time.Millisecond)
			})
		case "healthy":
			many(count, func() {
				finish(client.Get(plain + "/small"))
				finish(streams.Get(secure + "/small"))
			})
		case "again":
			must(syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
		}
		fmt.Println("ok")
	}
}
