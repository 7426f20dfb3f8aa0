package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"corpus/programs/internal/corpus"
)

// open keeps connections that the garbage collector would close otherwise.
var open []net.Conn

func dial(address string) net.Conn {
	connection, err := net.Dial("tcp", address)
	corpus.Must(err)
	return connection
}

func request(connection net.Conn, path string) {
	_, err := fmt.Fprintf(connection, "GET %s HTTP/1.1\r\nHost: service\r\n\r\n", path)
	corpus.Must(err)
}

// asking sends a request on each connection and waits for the response, whether or not it arrives.
func asking(address string) {
	corpus.EachPace(func(int) {
		connection := dial(address)
		request(connection, "/")
		go io.Copy(io.Discard, connection)
	})
}

// leaving sends a request on each connection and gives up soon.
func leaving(address string) {
	corpus.EachPace(func(int) {
		connection := dial(address)
		request(connection, "/")
		time.Sleep(corpus.Pace() / 4)
		corpus.Must(connection.Close())
	})
}

// silent connects and sends nothing, as a browser does that expects to need more connections.
func silent(address string) {
	corpus.EachPace(func(int) {
		connection := dial(address)
		go io.Copy(io.Discard, connection)
	})
}

// stalling requests something large and stops reading after the header.
func stalling(address string) {
	corpus.EachPace(func(int) {
		connection := dial(address)
		request(connection, "/bytes?n=20000000")
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		corpus.Must(err)
		if response.StatusCode != http.StatusOK {
			corpus.Must(fmt.Errorf("the proxy says %s", response.Status))
		}
		open = append(open, connection)
	})
}
