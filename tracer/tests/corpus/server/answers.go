package main

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Maximum number of bytes per write.
const piece = 32 * 1024

// bytes sends n bytes with a Content-Length.
func bytes(writer http.ResponseWriter, request *http.Request) {
	length := number(request, "n", 0)
	writer.Header().Set("Content-Type", "application/octet-stream")
	writer.Header().Set("Content-Length", strconv.Itoa(length))
	write(writer, length)
}

// chunked sends n bytes in chunks, without a Content-Length.
func chunked(writer http.ResponseWriter, request *http.Request) {
	length := number(request, "n", 0)
	writer.Header().Set("Content-Type", "application/octet-stream")
	// What is flushed before the handler returns is sent in chunks.
	flush(writer)
	if request.URL.Query().Get("json") == "1" {
		io.WriteString(writer, document(length))
		flush(writer)
		// The last chunk is sent later, as by a server with something left to do. A client that
		// stops after the value has not received it by then.
		time.Sleep(100 * time.Millisecond)
	} else {
		write(writer, length)
	}
	flush(writer)
}

// document is a JSON object of n bytes, or of the minimum size if that is larger.
func document(length int) string {
	const frame = `{"text":""}`
	return `{"text":"` + strings.Repeat("x", max(length-len(frame), 0)) + `"}`
}

// http10 responds as HTTP/1.0 does: the body is delimited by EOF.
func http10(writer http.ResponseWriter, request *http.Request) {
	length := number(request, "n", 0)
	connection, _, err := writer.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer connection.Close()
	io.WriteString(connection, "HTTP/1.0 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n")
	write(connection, length)
}

// slow sends n bytes at the given rate, as a slow disk or a large export does.
func slow(writer http.ResponseWriter, request *http.Request) {
	left, rate := number(request, "n", 0), max(number(request, "rate", 1024), 1)
	writer.Header().Set("Content-Length", strconv.Itoa(left))
	tick := 200 * time.Millisecond
	each := max(rate/5, 1)
	for left > 0 {
		length := min(each, left)
		if write(writer, length) != nil {
			return
		}
		flush(writer)
		left -= length
		if !sleep(request, tick) {
			return
		}
	}
}

// events sends events of n bytes forever.
func events(writer http.ResponseWriter, request *http.Request) {
	text := strings.Repeat("x", max(number(request, "n", 20), 1))
	writer.Header().Set("Content-Type", "text/event-stream")
	for {
		if _, err := fmt.Fprintf(writer, "data: %s\n\n", text); err != nil {
			return
		}
		flush(writer)
		if !sleep(request, pace()) {
			return
		}
	}
}

// silentEvents starts an event stream without events.
func silentEvents(writer http.ResponseWriter, request *http.Request) {
	writer.Header().Set("Content-Type", "text/event-stream")
	writer.WriteHeader(http.StatusOK)
	flush(writer)
	<-request.Context().Done()
}

// longPoll responds after ms milliseconds.
func longPoll(writer http.ResponseWriter, request *http.Request) {
	wait := time.Duration(number(request, "ms", 3_600_000)) * time.Millisecond
	if sleep(request, wait) {
		io.WriteString(writer, "something happened\n")
	}
}

// hang does not respond while the client stays.
func hang(_ http.ResponseWriter, request *http.Request) {
	<-request.Context().Done()
}

// echo switches protocols, as a WebSocket does, and echoes what it receives.
func echo(writer http.ResponseWriter, _ *http.Request) {
	connection, buffered, err := writer.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer connection.Close()
	io.WriteString(connection, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	io.Copy(connection, buffered)
}

// sleep waits, unless the client disconnects meanwhile.
func sleep(request *http.Request, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-request.Context().Done():
		return false
	}
}

func write(writer io.Writer, length int) error {
	buffer := make([]byte, min(length, piece))
	for left := length; left > 0; {
		written, err := writer.Write(buffer[:min(left, piece)])
		if err != nil {
			return err
		}
		left -= written
	}
	return nil
}

func flush(writer http.ResponseWriter) {
	writer.(http.Flusher).Flush()
}

// Go 1.19 has neither of these.

func max(one, other int) int {
	if one > other {
		return one
	}
	return other
}

func min(one, other int) int {
	if one < other {
		return one
	}
	return other
}
