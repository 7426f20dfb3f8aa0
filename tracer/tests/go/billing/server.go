package main

import (
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
	"time"
)

// The server prints its URL and exits when its standard input is closed.
func server() {
	http.HandleFunc("/charge", func(w http.ResponseWriter, r *http.Request) {
		if *hangUp {
			connection, _, err := w.(http.Hijacker).Hijack()
			must(err)
			fmt.Fprintf(connection, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", *bytes, make([]byte, *bytes))
			// Otherwise, the client would have nothing to wait for.
			time.Sleep(100 * time.Millisecond)
			connection.Close()
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(*bytes))
		w.Write(make([]byte, *bytes))
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	if !*useTLS && !*useHTTP2 {
		fmt.Printf("http://%s\n", listener.Addr())
		must(http.Serve(listener, nil))
	}
	fmt.Printf("https://%s\n", listener.Addr())
	protocol := "http/1.1"
	if *useHTTP2 {
		protocol = "h2"
	}
	config := &tls.Config{Certificates: []tls.Certificate{certificate()}, NextProtos: []string{protocol}}
	// A server uses HTTP/2 only on connections that it recognizes as TLS.
	must((&http.Server{TLSConfig: config}).ServeTLS(listener, "", ""))
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
