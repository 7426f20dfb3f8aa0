// Abandoned responses, and the HTTP client object of each, found by reflection: the expected results
// of the tests in tracer-inspect/src/go/as_root/http_objects.rs. Standard library only, loopback
// only; client and server in one.
//
//	http_objects
//
// prints a line for each response, `object label kind address fd stream held unread`, then the number of
// goroutines and of those in loops of HTTP/1 connections, then `ready`, and runs until its standard
// input is closed.
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const large = 10 << 20

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var routes = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/small":
		io.WriteString(w, "twenty bytes of text")
	case "/large":
		// The handler blocks once the socket buffers are full.
		w.Write(make([]byte, large))
	case "/begun":
		io.WriteString(w, "begun")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
})

// Wrappers of net.Conn, as instrumented dialers return them.
type byInterface struct {
	label string
	net.Conn
}

type byPointer struct {
	*net.TCPConn
	label string
}

func around(connection net.Conn) net.Conn {
	return &byInterface{"wrapped", connection}
}

func aroundPointer(connection net.Conn) net.Conn {
	return byPointer{connection.(*net.TCPConn), "wrapped"}
}

func same(connection net.Conn) net.Conn { return connection }

// The connection inside all wrappers.
func innermost(connection net.Conn) syscall.Conn {
	for {
		switch outer := connection.(type) {
		case *tls.Conn:
			connection = outer.NetConn()
		case *byInterface:
			connection = outer.Conn
		case byPointer:
			connection = outer.TCPConn
		default:
			return connection.(syscall.Conn)
		}
	}
}

func descriptor(connection net.Conn) (fd int) {
	raw, err := innermost(connection).SyscallConn()
	must(err)
	must(raw.Control(func(number uintptr) { fd = int(number) }))
	return fd
}

func transport(network, address string, wrap func(net.Conn) net.Conn) *http.Transport {
	return &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			connection, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return wrap(connection), nil
		},
	}
}

// Sends a request; returns the response and the fd of its connection.
func get(transport *http.Transport, url string) (response *http.Response, fd int) {
	trace := &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) { fd = descriptor(got.Conn) }}
	request, err := http.NewRequestWithContext(
		httptrace.WithClientTrace(context.Background(), trace), "GET", url, nil)
	must(err)
	response, err = transport.RoundTrip(request)
	must(err)
	return response, fd
}

// Finds the first value reachable from value whose type name has the suffix.
func find(value reflect.Value, suffix string) reflect.Value {
	seen := map[uintptr]bool{}
	level := []reflect.Value{value}
	for depth := 0; depth < 20 && len(level) > 0; depth++ {
		var next []reflect.Value
		for _, value := range level {
			switch value.Kind() {
			case reflect.Interface:
				if !value.IsNil() {
					next = append(next, value.Elem())
				}
			case reflect.Ptr:
				if value.IsNil() || seen[value.Pointer()] {
					continue
				}
				seen[value.Pointer()] = true
				if strings.HasSuffix(value.Type().Elem().String(), suffix) {
					return value
				}
				next = append(next, value.Elem())
			case reflect.Struct:
				for i := 0; i < value.NumField(); i++ {
					next = append(next, value.Field(i))
				}
			}
		}
		level = next
	}
	panic("no " + suffix)
}

// Keeps all responses reachable.
var kept []*http.Response

// The object of an HTTP/1 response is the persistConn that its body reads from.
func connection(label string, response *http.Response, fd int) {
	kept = append(kept, response)
	object := find(reflect.ValueOf(response.Body), "http.persistConn")
	fmt.Printf("object %s connection %d %d 0 0 0\n", label, object.Pointer(), fd)
}

func stream(label string, response *http.Response, fd int) {
	kept = append(kept, response)
	object := find(reflect.ValueOf(response.Body), "lientStream")
	id := object.Elem().FieldByName("ID").Uint()
	held, expected := int64(0), int64(0)
	if buffer := object.Elem().FieldByName("bufPipe").FieldByName("b"); !buffer.IsNil() {
		held = find(buffer, "dataBuffer").Elem().FieldByName("size").Int()
		expected = find(buffer, "dataBuffer").Elem().FieldByName("expected").Int()
	}
	fmt.Printf("object %s stream %d %d %d %d %d\n",
		label, object.Pointer(), fd, id, held, uint64(held+expected))
}

func settle() { time.Sleep(500 * time.Millisecond) }

func main() {
	plain := httptest.NewServer(routes)
	secure := httptest.NewTLSServer(routes)
	modern := httptest.NewUnstartedServer(routes)
	modern.EnableHTTP2 = true
	modern.StartTLS()
	directory, err := os.MkdirTemp("", "http_objects")
	must(err)
	defer os.RemoveAll(directory)
	listener, err := net.Listen("unix", filepath.Join(directory, "socket"))
	must(err)
	go http.Serve(listener, routes)
	for _, server := range []*httptest.Server{plain, secure, modern} {
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
	}
	address := func(server *httptest.Server) string { return server.Listener.Addr().String() }

	// HTTP/1, each on a connection of its own.
	for _, kind := range []struct {
		label  string
		server *httptest.Server
		wrap   func(net.Conn) net.Conn
	}{
		{"plain", plain, same},
		{"tls", secure, same},
		{"wrapped", plain, around},
		{"pointer", plain, aroundPointer},
		{"twice", plain, func(it net.Conn) net.Conn { return around(around(it)) }},
		{"tls-wrapped", secure, around},
	} {
		client := transport("tcp", address(kind.server), kind.wrap)
		for _, path := range []string{"/small", "/large", "/begun"} {
			response, fd := get(client, kind.server.URL+path)
			connection(kind.label, response, fd)
		}
	}
	local := transport("unix", listener.Addr().String(), same)
	response, _ := get(local, "http://local/small")
	connection("unix", response, -1)
	response, fd := get(transport("tcp", address(plain), same), plain.URL+"/begun")
	connection("closed", response, -1)
	must(response.Body.Close())

	// HTTP/2, many on one connection.
	for _, wrap := range []func(net.Conn) net.Conn{same, around} {
		client := transport("tcp", address(modern), wrap)
		client.ForceAttemptHTTP2 = true
		for i := 0; i < 3; i++ {
			response, fd = get(client, modern.URL+"/large")
			settle()
			stream("large", response, fd)
		}
		response, fd = get(client, modern.URL+"/begun")
		settle()
		stream("begun", response, fd)
		response, fd = get(client, modern.URL+"/begun")
		go io.Copy(io.Discard, response.Body)
		settle()
		stream("awaited", response, fd)
	}
	settle()
	var stacks [4 << 20]byte
	all := string(stacks[:runtime.Stack(stacks[:], true)])
	count := func(function string) int { return strings.Count(all, "\nnet/http.(*persistConn)."+function+"(") }
	fmt.Printf("goroutines %d %d %d\n", runtime.NumGoroutine(), count("readLoop"), count("writeLoop"))
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}
