package main

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"

	"corpus/programs/internal/corpus"
)

// forgotten keeps connections that the garbage collector would close otherwise.
var forgotten []net.Conn

func serve(listener net.Listener, handler http.Handler) {
	go func() { log.Fatal(http.Serve(listener, handler)) }()
}

// hijackForgotten hijacks connections, responds on them and forgets them.
func hijackForgotten(listener net.Listener, _ string) {
	taken := make(chan net.Conn)
	go func() {
		for connection := range taken {
			forgotten = append(forgotten, connection)
		}
	}()
	serve(listener, http.HandlerFunc(func(writer http.ResponseWriter, _ *http.Request) {
		connection, _, err := writer.(http.Hijacker).Hijack()
		corpus.Must(err)
		io.WriteString(connection, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		taken <- connection
	}))
}

// acceptForgotten accepts connections and does nothing with them.
func acceptForgotten(listener net.Listener, _ string) {
	go func() {
		for {
			connection, err := listener.Accept()
			corpus.Must(err)
			forgotten = append(forgotten, connection)
		}
	}()
}

// hungHandlers waits for something that never happens before it responds.
func hungHandlers(listener net.Listener, _ string) {
	serve(listener, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { select {} }))
}

// plain is a healthy server.
func plain(listener net.Listener, _ string) {
	serve(listener, http.HandlerFunc(func(writer http.ResponseWriter, _ *http.Request) {
		io.WriteString(writer, "ok")
	}))
}

// proxy forwards everything to the server of the corpus.
func proxy(listener net.Listener, address string) {
	target, err := url.Parse(address)
	corpus.Must(err)
	reverse := httputil.NewSingleHostReverseProxy(target)
	serve(listener, reverse)
}
