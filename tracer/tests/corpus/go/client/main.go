// Clients of net/http and of plain TCP: `client SCENARIO URL`, and for some a file with the
// certificate to trust.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"

	"corpus/programs/internal/corpus"
)

// scenarios are what this program can do; each returns when it is done.
var scenarios = map[string]func(address string){
	// Leaks.
	"unread":            unread,
	"unread-on-and-on":  unreadOnAndOn,
	"json":              decodeOnly,
	"pool-per-request":  poolPerRequest,
	"raw":               raw,
	"wrapped":           wrapped,
	"goroutines-unread": amongGoroutines,

	// Healthy.
	"closed-unread":    closedUnread,
	"drained-unclosed": drainedUnclosed,
	"shared":           shared,
	"concurrent":       concurrent,
	"burst-pool":       burstPool,
	"streams":          streams,
	"websocket":        websocket,
	"pending":          pending,
	"database-parked":  databaseParked,
	"database":         database,
	"timeout":          timeout,
	"download":         download,
	"late-reader":      lateReader,
}

func main() {
	log.SetFlags(log.Ltime)
	if len(os.Args) < 3 {
		log.Fatal("usage: client SCENARIO URL [CERTIFICATE]")
	}
	scenario, known := scenarios[os.Args[1]]
	if !known {
		log.Fatal("no such scenario: ", os.Args[1])
	}
	if len(os.Args) > 3 {
		trust(os.Args[3])
	}
	scenario(os.Args[2])
	corpus.Stay()
}

// trust makes the default transport trust the corpus's server.
func trust(path string) {
	certificate, err := os.ReadFile(path)
	corpus.Must(err)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(certificate) {
		log.Fatal("no certificate in ", path)
	}
	http.DefaultTransport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}
}

// get requests the URL, and exits if there is no response.
func get(client *http.Client, address string) *http.Response {
	response, err := client.Get(address)
	corpus.Must(err)
	if response.StatusCode != http.StatusOK {
		log.Fatal("the server says ", response.Status)
	}
	return response
}

// hostOf is the host and the port of a URL, for connections without net/http.
func hostOf(address string) string {
	parsed, err := url.Parse(address)
	corpus.Must(err)
	return parsed.Host
}

// requestFor is the text of a request for the URL.
func requestFor(address string) string {
	parsed, err := url.Parse(address)
	corpus.Must(err)
	return fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", parsed.RequestURI(), parsed.Host)
}
