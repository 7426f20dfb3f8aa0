// The server of the corpus: plain and with TLS, with one path for each kind of response that leaves
// the client's socket in a different state. The server itself is healthy.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

func main() {
	idleTimeout := flag.Duration("idle-timeout", 0, "close idle connections after this; 0: never")
	authority := flag.String("ca", "", "write the certificate that clients have to trust to this file")
	http2 := flag.Bool("http2", false, "offer HTTP/2 with TLS")
	flag.Parse()
	log.SetFlags(log.Ltime)

	certificate, err := makeCertificate(*authority)
	if err != nil {
		log.Fatal(err)
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	encrypted, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go serve(newServer(*idleTimeout), plain, nil, false)
	go serve(newServer(*idleTimeout), encrypted, &tls.Config{Certificates: []tls.Certificate{certificate}}, *http2)
	fmt.Println("plain", plain.Addr())
	fmt.Println("tls", encrypted.Addr())

	// Runs until the process that started it exits.
	io.Copy(io.Discard, os.Stdin)
}

func newServer(idleTimeout time.Duration) *http.Server {
	routes := http.NewServeMux()
	routes.HandleFunc("/bytes", bytes)
	routes.HandleFunc("/chunked", chunked)
	routes.HandleFunc("/http10", http10)
	routes.HandleFunc("/slow", slow)
	routes.HandleFunc("/sse", events)
	routes.HandleFunc("/sse-silent", silentEvents)
	routes.HandleFunc("/longpoll", longPoll)
	routes.HandleFunc("/hang", hang)
	routes.HandleFunc("/ws", echo)
	discarding := http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		// An unread request body would be a finding about this server.
		if request.URL.Path != "/ws" {
			io.Copy(io.Discard, request.Body)
		}
		routes.ServeHTTP(writer, request)
	})
	return &http.Server{Handler: discarding, IdleTimeout: idleTimeout}
}

func serve(server *http.Server, listener net.Listener, encryption *tls.Config, http2 bool) {
	if encryption == nil {
		log.Fatal(server.Serve(listener))
	}
	server.TLSConfig = encryption
	if !http2 {
		// With an empty map, net/http does not offer HTTP/2.
		server.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
	}
	log.Fatal(server.ServeTLS(listener, "", ""))
}

// number reads an integer from the query.
func number(request *http.Request, name string, otherwise int) int {
	value, err := strconv.Atoi(request.URL.Query().Get(name))
	if err != nil || value < 0 {
		return otherwise
	}
	return value
}

// pace is the pause between two events, as the runner sets it.
func pace() time.Duration {
	milliseconds, err := strconv.Atoi(os.Getenv("CORPUS_PACE_MS"))
	if err != nil || milliseconds < 1 {
		milliseconds = 1000
	}
	return time.Duration(milliseconds) * time.Millisecond
}
