package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"time"
)

var kept []net.Conn

// slow: eight goroutines read an endless response from a plain net.Conn, 2,000 bytes at a time through a
// bufio.Reader of 4 KiB, and work on each part for up to 2.5 × `--idle`. Every fifth of `--idle`, a further
// connection is used for the first line of a response; the twin keeps it in a slice.
func slow() {
	for i := 0; i < 8; i++ {
		go readSlowly()
		time.Sleep(between(0, 0.2))
	}
	for count := 0; !leak || count < leaks; count++ {
		time.Sleep(pace())
		connection, reader := stream()
		_, err := reader.ReadString('\n')
		must(err)
		if leak {
			kept = append(kept, connection)
			event(0)
			continue
		}
		connection.Close()
	}
	select {}
}

func stream() (net.Conn, *bufio.Reader) {
	connection, err := net.Dial("tcp", upstream)
	must(err)
	fmt.Fprintf(connection, "GET /stream?n=16000&every=0.5 HTTP/1.1\r\nHost: zoo\r\n\r\n")
	return connection, bufio.NewReaderSize(connection, 4096)
}

func readSlowly() {
	connection, reader := stream()
	defer connection.Close()
	part := make([]byte, 2000)
	// The first pause is the longest, so that none is three times as long as an earlier one. Three parts are more
	// than the buffer holds, so each iteration reads from the connection.
	work := 2500 * time.Millisecond * idle / time.Second
	for {
		for i := 0; i < 3; i++ {
			if _, err := io.ReadFull(reader, part); err != nil {
				return
			}
		}
		time.Sleep(work)
		work = between(0.3, 2.5)
	}
}
