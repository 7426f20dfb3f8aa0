// For the tests in tracer-inspect/src/go/as_root/heap.rs: an HTTP client that drops responses, or
// keeps them in every kind of place, and its server. Standard library only, loopback only.
//
//	heap [-tls] [-gc N] [-off] [-allocate] dropped=3 slice=2 moving=1
//
// Each argument gets that many responses of a kind. When all are in their place and N collections
// have run, the program prints one line, `kind fd fd fd...`, for every kind, then `ready`, and runs
// until its standard input is closed.
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
	"runtime/debug"
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

// The server prints its URL and exits when its standard input is closed.
func server(useTLS bool) {
	mux := http.NewServeMux()
	mux.HandleFunc("/plain", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "first")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("/length", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "4194304")
		w.Write(make([]byte, 4194304))
	})
	mux.HandleFunc("/small", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "twenty bytes of text")
	})
	mux.HandleFunc("/gzip", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		io.WriteString(z, strings.Repeat("text", 100))
		z.Close()
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

// One kind: its client and the file descriptors of the connections that it opened.
type kind struct {
	mu     sync.Mutex
	fds    []int
	client *http.Client
	url    string
}

// As tracing libraries do: the body is replaced by one around it.
type wrapping struct{ inner http.RoundTripper }

type wrappedBody struct {
	name   string
	inner  io.ReadCloser
	labels map[string]int
}

func (w *wrappedBody) Read(p []byte) (int, error) { return w.inner.Read(p) }
func (w *wrappedBody) Close() error               { return w.inner.Close() }

func (w wrapping) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := w.inner.RoundTrip(request)
	if err == nil {
		response.Body = &wrappedBody{"span", response.Body, map[string]int{"a": 1}}
	}
	return response, err
}

func newKind(url string) *kind {
	k := &kind{url: url}
	k.client = &http.Client{Transport: &http.Transport{
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
			return connection, nil
		},
	}}
	return k
}

//go:noinline
func (k *kind) get(path string) *http.Response {
	response, err := k.client.Get(k.url + path)
	must(err)
	return response
}

type node struct {
	next     *node
	response *http.Response
	room     [5]int
}

type box struct {
	name string
	body io.ReadCloser
}

var (
	slice     []*http.Response
	bodies    []io.ReadCloser
	table     = map[int]*http.Response{}
	channel   = make(chan *http.Response, 10000)
	timers    []*time.Timer
	global    *http.Response
	boxes     []*box
	closures  []func()
	headers   []string
	list      *node
	never     = make(chan int)
	requests  []*http.Request
	exchanges []*exchange
	sink      []byte
	nodeSink  *node
	spun      int
)

var kinds = map[string]func(k *kind, i int){
	// Dropped.
	"dropped": func(k *kind, i int) { k.get("/plain") },
	"length":  func(k *kind, i int) { k.get("/length") },
	"small":   func(k *kind, i int) { k.get("/small") },
	"gzip":    func(k *kind, i int) { k.get("/gzip") },
	"header":  func(k *kind, i int) { headers = append(headers, k.get("/plain").Header.Get("Date")) },
	"timeout": func(k *kind, i int) { k.client.Timeout = time.Hour; k.get("/plain") },
	"request": func(k *kind, i int) { requests = append(requests, k.get("/plain").Request) },
	"wrapped": func(k *kind, i int) { k.wrap(); k.get("/plain") },
	"reused": func(k *kind, i int) {
		for j := 0; j < 3; j++ {
			response := k.get("/small")
			io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
		k.get("/length")
	},
	// Only other garbage refers to it.
	"garbage": func(k *kind, i int) {
		a := &node{response: k.get("/plain")}
		a.next = &node{next: a}
	},
	// What a middleware has put into the context of the request refers to it, and nothing else.
	"context": func(k *kind, i int) { k.getWith(&exchange{}) },
	// Held.
	"exchange": func(k *kind, i int) {
		kept := &exchange{}
		exchanges = append(exchanges, kept)
		k.getWith(kept)
	},
	"slice":    func(k *kind, i int) { slice = append(slice, k.get("/plain")) },
	"channel":  func(k *kind, i int) { channel <- k.get("/plain") },
	"map":      func(k *kind, i int) { table[i] = k.get("/plain") },
	"global":   func(k *kind, i int) { global = k.get("/plain") },
	"struct":   func(k *kind, i int) { boxes = append(boxes, &box{"box", k.get("/length").Body}) },
	"list":     func(k *kind, i int) { list = &node{next: list, response: k.get("/plain")} },
	"bodies":   func(k *kind, i int) { bodies = append(bodies, k.get("/gzip").Body) },
	"wrapbody": func(k *kind, i int) { k.wrap(); bodies = append(bodies, k.get("/gzip").Body) },
	"buffered": func(k *kind, i int) {
		reader := bufio.NewReader(k.get("/plain").Body)
		bodies = append(bodies, io.NopCloser(reader))
	},
	"closure": func(k *kind, i int) {
		response := k.get("/plain")
		closures = append(closures, func() { response.Body.Close() })
	},
	"timer": func(k *kind, i int) {
		response := k.get("/plain")
		timers = append(timers, time.AfterFunc(time.Hour, func() { response.Body.Close() }))
	},
	"timeronly": func(k *kind, i int) {
		response := k.get("/plain")
		time.AfterFunc(time.Hour, func() { response.Body.Close() })
	},
	"finalizer": func(k *kind, i int) {
		runtime.SetFinalizer(k.get("/length"), func(response *http.Response) { response.Body.Close() })
	},
	"stack": func(k *kind, i int) {
		response := k.get("/plain")
		go waitAndClose(response)
	},
	"reading": func(k *kind, i int) {
		response := k.get("/plain")
		go io.Copy(io.Discard, response.Body)
	},
	// Always somewhere, and never for long.
	"moving": func(k *kind, i int) { move(k.get("/plain"), i) },
}

type exchange struct {
	name     string
	response *http.Response
}

type exchangeKey struct{}

func (k *kind) getWith(e *exchange) {
	ctx := context.WithValue(context.Background(), exchangeKey{}, e)
	request, err := http.NewRequestWithContext(ctx, "GET", k.url+"/plain", nil)
	must(err)
	e.response, err = k.client.Do(request)
	must(err)
}

func (k *kind) wrap() {
	if _, is := k.client.Transport.(wrapping); !is {
		k.client.Transport = wrapping{wrapping{k.client.Transport}}
	}
}

//go:noinline
func waitAndClose(response *http.Response) {
	<-never
	response.Body.Close()
}

var (
	stations  = make(chan *http.Response, 10000)
	station   = map[int]*http.Response{}
	stationMu sync.Mutex
)

func move(response *http.Response, i int) {
	stations <- response
	go func() {
		for {
			response := <-stations
			spin(2000)
			stationMu.Lock()
			station[i] = response
			stationMu.Unlock()
			response = nil
			spin(2000)
			stationMu.Lock()
			response = station[i]
			delete(station, i)
			stationMu.Unlock()
			if i%2 == 0 {
				time.Sleep(time.Millisecond)
			}
			stations <- response
		}
	}()
}

//go:noinline
func spin(n int) {
	for i := 0; i < n; i++ {
		spun += i
	}
}

func allocate() {
	for {
		for i := 0; i < 50; i++ {
			sink = make([]byte, 16<<10)
			for j := 0; j < 40; j++ {
				nodeSink = &node{}
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func main() {
	useTLS := flag.Bool("tls", false, "HTTPS")
	serve := flag.Bool("serve", false, "be the server")
	collections := flag.Int("gc", 0, "number of collections")
	allocates := flag.Bool("allocate", false, "allocate all the time")
	objects := flag.Int("objects", 0, "number of other objects")
	off := flag.Bool("off", false, "no collections, as with GOGC=off")
	goroutines := flag.Int("goroutines", 0, "number of other goroutines")
	flag.Parse()
	if *serve {
		server(*useTLS)
		return
	}
	if *off {
		debug.SetGCPercent(-1)
	}
	arguments := []string{"-serve"}
	if *useTLS {
		arguments = append(arguments, "-tls")
	}
	child := exec.Command("/proc/self/exe", arguments...)
	child.Stderr = os.Stderr
	input, err := child.StdinPipe()
	must(err)
	defer input.Close()
	output, err := child.StdoutPipe()
	must(err)
	must(child.Start())
	line, err := bufio.NewReader(output).ReadString('\n')
	must(err)
	url := strings.TrimSpace(line)

	var nodes []*node
	for i := 0; i < *objects; i++ {
		nodes = append(nodes, &node{})
		if i > 0 {
			nodes[i].next = nodes[i-1]
		}
	}
	for i := 0; i < *goroutines; i++ {
		go func() { <-never }()
	}
	var all []*kind
	for _, word := range flag.Args() {
		name, number, _ := strings.Cut(word, "=")
		count, err := strconv.Atoi(number)
		must(err)
		call := kinds[name]
		if call == nil {
			must(fmt.Errorf("no kind %q", name))
		}
		k := newKind(url)
		for i := 0; i < count; i++ {
			// A goroutine that exits, so that no stack keeps a reference.
			done := make(chan int)
			go func() {
				call(k, i)
				close(done)
			}()
			<-done
		}
		all = append(all, k)
	}
	for i := 0; i < *collections; i++ {
		runtime.GC()
	}
	if *allocates {
		go allocate()
	}
	for i, word := range flag.Args() {
		k := all[i]
		name, _, _ := strings.Cut(word, "=")
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
	runtime.KeepAlive(nodes)
}
