// For the tests in tracer-inspect/src/go/as_root.rs: an HTTP client that leaves connections in known
// states, and its server. Standard library only, loopback only.
//
//	connections [-tls] leaked=3 idle=2 streaming=1 held=1 gzip=1 wrapped=1 parked=100 busy=4
//
// Each argument creates that many connections of a kind. When all of them are in that state, the
// program prints one line, `kind fd fd fd...`, for every kind, then `ready`, and runs until its
// standard input is closed.
package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	useTLS := flag.Bool("tls", false, "HTTPS")
	serve := flag.Bool("serve", false, "be the server")
	flag.Parse()
	if *serve {
		server(*useTLS)
		return
	}
	client(*useTLS, flag.Args())
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// The server prints its URL and exits when its standard input is closed.
func server(useTLS bool) {
	mux := http.NewServeMux()
	mux.HandleFunc("/small", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "twenty bytes of text")
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "4194304")
		w.Write(make([]byte, 4194304))
	})
	mux.HandleFunc("/chunked", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "one")
		w.(http.Flusher).Flush()
		io.WriteString(w, "two")
	})
	mux.HandleFunc("/closing", func(w http.ResponseWriter, r *http.Request) {
		connection, _, err := w.(http.Hijacker).Hijack()
		must(err)
		io.WriteString(connection, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
		time.Sleep(200 * time.Millisecond)
		connection.Close()
	})
	mux.HandleFunc("/gzip", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		io.WriteString(z, strings.Repeat("text", 100))
		z.Close()
	})
	mux.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "data: first\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	if !useTLS {
		fmt.Printf("http://%s\n", listener.Addr())
		must(http.Serve(listener, mux))
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(err)
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}}
	fmt.Printf("https://%s\n", listener.Addr())
	must(http.Serve(tls.NewListener(listener, config), mux))
}

// A wrapped connection, as instrumented dialers return it.
type wrapped struct {
	net.Conn
	label string
}

// One kind of client: its transport and the file descriptors of the connections that it opened.
type kind struct {
	mu        sync.Mutex
	fds       []int
	transport *http.Transport
}

func newKind(wrap bool) *kind {
	k := &kind{}
	k.transport = &http.Transport{
		MaxIdleConnsPerHost: 100000,
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			connection, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			raw, err := connection.(syscall.Conn).SyscallConn()
			must(err)
			must(raw.Control(func(fd uintptr) {
				k.mu.Lock()
				k.fds = append(k.fds, int(fd))
				k.mu.Unlock()
			}))
			if wrap {
				return &wrapped{Conn: connection, label: "wrapped"}, nil
			}
			return connection, nil
		},
	}
	return k
}

func client(useTLS bool, words []string) {
	arguments := []string{"-serve"}
	if useTLS {
		arguments = append(arguments, "-tls")
	}
	child := exec.Command("/proc/self/exe", arguments...)
	child.Stderr = os.Stderr
	input, err := child.StdinPipe()
	must(err)
	output, err := child.StdoutPipe()
	must(err)
	must(child.Start())
	line, err := bufio.NewReader(output).ReadString('\n')
	must(err)
	url := strings.TrimSpace(line)
	defer input.Close()

	for _, word := range words {
		name, number, _ := strings.Cut(word, "=")
		count, err := strconv.Atoi(number)
		must(err)
		make := kinds[name]
		if make == nil {
			must(fmt.Errorf("no kind %q", name))
		}
		k := newKind(name == "wrapped")
		make(k, url, count)
		k.mu.Lock()
		fmt.Print(name)
		for _, fd := range k.fds {
			fmt.Print(" ", fd)
		}
		fmt.Println()
		k.mu.Unlock()
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}

var kinds = map[string]func(k *kind, url string, count int){
	"leaked":    func(k *kind, url string, count int) { each(count, func() { k.leak(url + "/small?secret=1") }) },
	"wrapped":   func(k *kind, url string, count int) { each(count, func() { k.leak(url + "/small?secret=1") }) },
	"large":     func(k *kind, url string, count int) { each(count, func() { k.leak(url + "/large") }) },
	"chunked":   func(k *kind, url string, count int) { each(count, func() { k.leak(url + "/chunked") }) },
	"gzip":      func(k *kind, url string, count int) { each(count, func() { k.leak(url + "/gzip") }) },
	"posted":    func(k *kind, url string, count int) { each(count, func() { k.post(url + "/small") }) },
	"collected": func(k *kind, url string, count int) { each(count, func() { k.leak(url + "/small") }); churn() },
	"closed":    closed,
	"idle":      idle,
	"streaming": streaming,
	"held":      func(k *kind, url string, count int) { holding(k, url+"/large", count) },
	"gzipheld":  func(k *kind, url string, count int) { holding(k, url+"/gzip", count) },
	"boxed":     boxed,
	"reused":    func(k *kind, url string, count int) { each(count, func() { k.again(url) }) },
	"again":     again,
	"deferred":  func(k *kind, url string, count int) { stay(count, func(done func()) { k.closeLater(url, done) }) },
	"deferring": func(k *kind, url string, count int) { stay(count, func(done func()) { k.closeAllLater(url, done) }) },
	"sending":   func(k *kind, url string, count int) { stay(count, func(done func()) { k.send(url, done) }) },
	"offering":  func(k *kind, url string, count int) { stay(count, func(done func()) { k.offer(url, done) }) },
	"dropped":   func(k *kind, url string, count int) { stay(count, func(done func()) { k.dropAndStay(url, done) }) },
	"parked":    parked,
	"owners":    owners,
	"busy":      busy,
	"collector": func(*kind, string, int) { go collector() },
}

// Each call has a goroutine that exits, so that no stack keeps a reference.
func each(count int, call func()) {
	var group sync.WaitGroup
	limit := make(chan struct{}, 50)
	for i := 0; i < count; i++ {
		group.Add(1)
		limit <- struct{}{}
		go func() {
			call()
			<-limit
			group.Done()
		}()
	}
	group.Wait()
}

func (k *kind) get(url string) *http.Response {
	response, err := (&http.Client{Transport: k.transport}).Get(url)
	must(err)
	return response
}

func (k *kind) leak(url string) {
	if k.get(url).StatusCode != http.StatusOK {
		must(fmt.Errorf("%s failed", url))
	}
}

func (k *kind) post(url string) {
	_, err := (&http.Client{Transport: k.transport}).Post(url, "text/plain", strings.NewReader("body"))
	must(err)
}

// The server closes the connections, and the client does not read EOF.
func closed(k *kind, url string, count int) {
	each(count, func() { k.leak(url + "/closing") })
	time.Sleep(time.Second)
}

// Healthy: the connections of a pool, all of them opened at once and returned.
func idle(k *kind, url string, count int) {
	var got, read sync.WaitGroup
	got.Add(count)
	read.Add(count)
	for i := 0; i < count; i++ {
		go func() {
			response := k.get(url + "/small")
			got.Done()
			got.Wait()
			io.Copy(io.Discard, response.Body)
			response.Body.Close()
			read.Done()
		}()
	}
	read.Wait()
	time.Sleep(100 * time.Millisecond)
}

// Healthy: waits for events.
func streaming(k *kind, url string, count int) {
	var started sync.WaitGroup
	started.Add(count)
	for i := 0; i < count; i++ {
		go func() {
			lines := bufio.NewScanner(k.get(url + "/stream").Body)
			lines.Scan()
			lines.Scan()
			started.Done()
			for lines.Scan() {
			}
		}()
	}
	started.Wait()
	time.Sleep(100 * time.Millisecond)
}

var never = make(chan struct{})

// Healthy: a goroutine holds the response and is busy with something else for now.
func holding(k *kind, url string, count int) {
	each := func(done *sync.WaitGroup) {
		response := k.get(url)
		done.Done()
		<-never
		response.Body.Close()
	}
	var started sync.WaitGroup
	started.Add(count)
	for i := 0; i < count; i++ {
		go each(&started)
	}
	started.Wait()
	time.Sleep(100 * time.Millisecond)
}

// Goroutines that report when they are done and do not exit.
func stay(count int, call func(done func())) {
	var started sync.WaitGroup
	started.Add(count)
	for i := 0; i < count; i++ {
		go call(started.Done)
	}
	started.Wait()
	time.Sleep(100 * time.Millisecond)
}

// Healthy: a response is closed when a function returns, which it has not done yet.
func (k *kind) closeLater(url string, done func()) {
	defer k.get(url + "/small").Body.Close()
	done()
	<-never
}

// The same for a variable number of responses, whose deferred calls the runtime keeps in a list.
func (k *kind) closeAllLater(url string, done func()) {
	for i := 0; i < 1; i++ {
		defer k.get(url + "/small").Body.Close()
	}
	done()
	<-never
}

// Healthy: a goroutine will receive the response from a channel.
func (k *kind) send(url string, done func()) {
	response := k.get(url + "/small")
	done()
	received <- response
}

// The same, with a select of several channels.
func (k *kind) offer(url string, done func()) {
	response := k.get(url + "/small")
	done()
	select {
	case received <- response:
	case <-never:
	}
}

var received = make(chan *http.Response)

// Leaks, and keeps running: what is left of the call on its stack is dead.
func (k *kind) dropAndStay(url string, done func()) {
	k.leak(url + "/small")
	done()
	<-never
}

type box struct {
	name string
	body io.ReadCloser
}

// The same, with the body in a structure of the application.
func boxed(k *kind, url string, count int) {
	var started sync.WaitGroup
	started.Add(count)
	fill := func() *box { return &box{name: "box", body: k.get(url + "/large").Body} }
	for i := 0; i < count; i++ {
		go func() {
			b := fill()
			started.Done()
			<-never
			b.body.Close()
		}()
	}
	started.Wait()
	time.Sleep(100 * time.Millisecond)
}

// A request that the program keeps and sends repeatedly. A reference to it is none to a response.
var kept struct {
	mu      sync.Mutex
	request *http.Request
}

func (k *kind) again(url string) *http.Response {
	kept.mu.Lock()
	if kept.request == nil {
		request, err := http.NewRequest("GET", url+"/small", nil)
		must(err)
		kept.request = request
		go keep(request)
	}
	request := kept.request
	kept.mu.Unlock()
	response, err := (&http.Client{Transport: k.transport}).Do(request)
	must(err)
	return response
}

func keep(request *http.Request) {
	<-never
	fmt.Println(request.URL)
}

// Healthy: a goroutine holds one of several responses to the same request object.
func again(k *kind, url string, count int) {
	each := func(done *sync.WaitGroup) {
		response := k.again(url)
		done.Done()
		<-never
		response.Body.Close()
	}
	var started sync.WaitGroup
	started.Add(count)
	for i := 0; i < count; i++ {
		go each(&started)
	}
	started.Wait()
	time.Sleep(100 * time.Millisecond)
}

// Goroutines unrelated to HTTP, each with local data.
func owners(_ *kind, _ string, count int) {
	var started sync.WaitGroup
	started.Add(count)
	for i := 0; i < count; i++ {
		go own(&started)
	}
	started.Wait()
	time.Sleep(100 * time.Millisecond)
}

type thing struct {
	next *thing
	name []byte
	room [4]int
}

//go:noinline
func newThing() *thing {
	return &thing{next: &thing{}, name: make([]byte, 100)}
}

func own(started *sync.WaitGroup) {
	var things [20]*thing
	for i := range things {
		things[i] = newThing()
	}
	started.Done()
	<-never
	for i := range things {
		fmt.Println(things[i])
	}
}

// Goroutines unrelated to HTTP.
func parked(_ *kind, _ string, count int) {
	for i := 0; i < count; i++ {
		go deep(i % 30)
	}
}

func deep(levels int) int {
	var room [8]int
	room[levels%8] = levels
	if levels == 0 {
		<-never
		return room[0]
	}
	return deep(levels-1) + room[levels%8]
}

// Collects garbage and reuses its memory, so that nothing of a dropped response is left.
func churn() {
	for round := 0; round < 3; round++ {
		runtime.GC()
		for size := 8; size <= 4096; size += 8 {
			for i := 0; i < 200; i++ {
				garbage = make([]byte, size)
				for j := range garbage {
					garbage[j] = 0xAB
				}
				pointers = make([]*int, size/8)
			}
		}
	}
}

var garbage []byte
var pointers []*int

// Busy all the time on healthy connections, with stacks that grow, shrink and move.
func busy(k *kind, url string, count int) {
	for i := 0; i < count; i++ {
		go func(i int) {
			for round := 0; ; round++ {
				path := [...]string{"/small", "/chunked", "/large", "/gzip"}[(i+round)%4]
				grow(round%200, func() {
					response := k.get(url + path)
					grow(round%50, func() { io.Copy(io.Discard, response.Body) })
					response.Body.Close()
				})
			}
		}(i)
	}
	time.Sleep(100 * time.Millisecond)
}

func grow(levels int, then func()) int {
	var room [64]int
	room[levels%64] = levels
	if levels == 0 {
		then()
		return room[0]
	}
	return grow(levels-1, then) + room[levels%64]
}

func collector() {
	for {
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
}
