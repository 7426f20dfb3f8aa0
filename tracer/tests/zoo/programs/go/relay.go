package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// relay: an HTTP server on PORT that forwards what it receives from upstream, and waits for its clients meanwhile.
// When a client has disconnected, the twin returns without closing the response from upstream.
func relay() {
	server := &http.Server{
		Addr: fmt.Sprintf("127.0.0.1:%d", port),
		Handler: http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
			response, err := http.Get("http://" + upstream + "/bytes?n=400000000")
			if err != nil {
				writer.WriteHeader(http.StatusBadGateway)
				return
			}
			if _, err := io.Copy(writer, response.Body); err != nil && leak {
				return
			}
			response.Body.Close()
		}),
	}
	must(server.ListenAndServe())
}

// clients of relay: six that read 30 kB per second for the whole response, and four that stall. Others give up
// after the beginning of the response, one per fifth of `--idle`; 25 if relay leaks.
func clients() {
	for i := 0; i < 10; i++ {
		go func(stalls bool) {
			for {
				connection := get()
				for !stalls {
					if _, err := io.CopyN(io.Discard, connection, 15000); err != nil {
						break
					}
					time.Sleep(500 * time.Millisecond)
				}
				if stalls {
					select {}
				}
				connection.Close()
			}
		}(i < 4)
	}
	for count := 0; !leak || count < leaks; count++ {
		time.Sleep(pace())
		connection := get()
		_, err := io.CopyN(io.Discard, connection, 4096)
		must(err)
		connection.Close()
		if leak {
			event(0)
		}
	}
	select {}
}

func get() net.Conn {
	connection, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	must(err)
	fmt.Fprintf(connection, "GET / HTTP/1.1\r\nHost: zoo\r\n\r\n")
	return connection
}
