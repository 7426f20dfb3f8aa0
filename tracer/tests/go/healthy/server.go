package main

import (
	"bufio"
	"compress/gzip"
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
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// The server prints its URL and exits when its standard input is closed.
func server() {
	for path, answer := range answers {
		http.HandleFunc(path, answer)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	if !*useHTTP2 {
		fmt.Printf("http://%s\n", listener.Addr())
		must(http.Serve(listener, nil))
	}
	fmt.Printf("https://%s\n", listener.Addr())
	config := &tls.Config{Certificates: []tls.Certificate{certificate()}}
	must((&http.Server{TLSConfig: config}).ServeTLS(listener, "", ""))
}

var answers = map[string]http.HandlerFunc{
	"/small":     func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "twenty bytes of text") },
	"/large":     func(w http.ResponseWriter, r *http.Request) { send(w, 1<<20) },
	"/huge":      func(w http.ResponseWriter, r *http.Request) { send(w, 1<<30) },
	"/empty":     func(w http.ResponseWriter, r *http.Request) {},
	"/204":       func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) },
	"/echo":      func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) },
	"/redirect":  func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/small", http.StatusFound) },
	"/chunked":   chunked,
	"/gzip":      zipped,
	"/http10":    old,
	"/fickle":    fickle,
	"/events":    events,
	"/silence":   silence,
	"/long-poll": func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	"/upgrade":   echo,
}

func send(w http.ResponseWriter, length int) {
	w.Header().Set("Content-Length", strconv.Itoa(length))
	part := make([]byte, 64<<10)
	for ; length > 0; length -= len(part) {
		if _, err := w.Write(part); err != nil {
			return
		}
	}
}

func chunked(w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, "one")
	w.(http.Flusher).Flush()
	io.WriteString(w, "two")
}

func zipped(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	io.WriteString(z, strings.Repeat("text", 100))
	z.Close()
}

func old(w http.ResponseWriter, r *http.Request) {
	connection := hijack(w)
	io.WriteString(connection, "HTTP/1.0 200 OK\r\n\r\nuntil the end")
	connection.Close()
}

var fickleCalls uint64

// Every second time, it closes a connection without having announced that.
func fickle(w http.ResponseWriter, r *http.Request) {
	if atomic.AddUint64(&fickleCalls, 1)%2 == 0 {
		hijack(w).Close()
		return
	}
	io.WriteString(w, "twenty bytes of text")
}

func events(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		io.WriteString(w, "data: event\n\n")
		w.(http.Flusher).Flush()
		time.Sleep(100 * time.Millisecond)
	}
}

func silence(w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, "data: the only event\n\n")
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

func echo(w http.ResponseWriter, r *http.Request) {
	connection := hijack(w)
	io.WriteString(connection, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	for lines := bufio.NewScanner(connection); lines.Scan(); {
		fmt.Fprintln(connection, lines.Text())
	}
}

func hijack(w http.ResponseWriter) net.Conn {
	connection, _, err := w.(http.Hijacker).Hijack()
	must(err)
	return connection
}

// A self-signed certificate, generated for each run, so that none has to be kept or renewed.
func certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
