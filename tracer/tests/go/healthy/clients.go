package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
)

var kinds = map[string]func(*client){
	"read":      read,
	"close":     closed,
	"drained":   drained,
	"shared":    shared,
	"bodiless":  bodiless,
	"http10":    http10,
	"single":    single,
	"redirect":  redirect,
	"retry":     retry,
	"dead":      dead,
	"stale":     stale,
	"stream":    stream,
	"silent":    silent,
	"long-poll": longPoll,
	"upgrade":   upgrade,
	"slow":      slow,
	"held":      held,
	"timeout":   timeout,
	"canceled":  canceled,
	"refused":   refused,
	"posted":    posted,
	"proxy":     proxy,
}

func readAndClose(response *http.Response) {
	_, err := io.Copy(io.Discard, response.Body)
	must(err)
	must(response.Body.Close())
}

// Reads the body to EOF and closes it.
func read(c *client) {
	c.repeat(func() {
		readAndClose(c.get("/small"))
		readAndClose(c.get("/large"))
		readAndClose(c.get("/chunked"))
		readAndClose(c.get("/gzip"))
	})
}

// Closed without being read: older versions of Go close the connection, too.
func closed(c *client) {
	c.repeat(func() {
		must(c.get("/small").Body.Close())
		must(c.get("/large").Body.Close())
	})
}

// Read to EOF and not closed: the connection is reused nevertheless.
func drained(c *client) {
	c.repeat(func() {
		_, err := io.Copy(io.Discard, c.get("/small").Body)
		must(err)
		_, err = io.Copy(io.Discard, c.get("/chunked").Body)
		must(err)
	})
}

// One client and its pool for many goroutines.
func shared(c *client) {
	for i := 0; i < 8; i++ {
		go c.repeat(func() { readAndClose(c.get("/small")) })
	}
}

// Responses without a body have nothing to close.
func bodiless(c *client) {
	c.repeat(func() {
		response, err := c.Head(c.url + "/small")
		must(err)
		if response.StatusCode != http.StatusOK {
			must(fmt.Errorf("HEAD: %s", response.Status))
		}
		c.get("/204")
		c.get("/empty")
	})
}

// The body is delimited by EOF.
func http10(c *client) {
	c.repeat(func() { readAndClose(c.get("/http10")) })
}

// A connection for each request.
func single(c *client) {
	c.Transport.(*http.Transport).DisableKeepAlives = true
	c.repeat(func() { readAndClose(c.get("/small")) })
}

func redirect(c *client) {
	c.repeat(func() { readAndClose(c.get("/redirect")) })
}

// The server closes a connection that the client wants to reuse, so the first attempt fails and the
// next one is made on another connection.
func retry(c *client) {
	c.repeat(func() { readAndClose(c.get("/fickle")) })
}

// The connection dies between selection and use, and the request is made on another one.
func dead(c *client) {
	kill := func(chosen httptrace.GotConnInfo) {
		if chosen.Reused {
			chosen.Conn.Close()
			time.Sleep(20 * time.Millisecond)
		}
	}
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{GotConn: kill})
	c.repeat(func() {
		request, err := http.NewRequestWithContext(ctx, "GET", c.url+"/small", nil)
		must(err)
		response, err := c.Do(request)
		must(err)
		readAndClose(response)
	})
}

// An idle pool: bodies were read and closed.
func stale(c *client) {
	var got, done sync.WaitGroup
	got.Add(6)
	done.Add(6)
	for i := 0; i < 6; i++ {
		go func() {
			response := c.get("/small")
			got.Done()
			got.Wait()
			readAndClose(response)
			done.Done()
		}()
	}
	done.Wait()
	c.isUp()
}

// Reads events as they arrive.
func stream(c *client) {
	for i := 0; i < 6; i++ {
		go follow(c, "/events")
	}
}

// Waits for events that never arrive.
func silent(c *client) {
	for i := 0; i < 6; i++ {
		go follow(c, "/silence")
	}
}

func follow(c *client, path string) {
	response := c.get(path)
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		c.isUp()
	}
}

// Requests whose response takes long.
func longPoll(c *client) {
	for i := 0; i < 6; i++ {
		go func() {
			time.AfterFunc(time.Second, c.isUp)
			readAndClose(c.get("/long-poll"))
		}()
	}
}

// Another protocol on an upgraded HTTP connection.
func upgrade(c *client) {
	for i := 0; i < 6; i++ {
		go func() {
			request, err := http.NewRequest("GET", c.url+"/upgrade", nil)
			must(err)
			request.Header.Set("Connection", "Upgrade")
			request.Header.Set("Upgrade", "echo")
			response, err := c.Do(request)
			must(err)
			if response.StatusCode != http.StatusSwitchingProtocols {
				must(fmt.Errorf("upgrade: %s", response.Status))
			}
			_, err = io.WriteString(response.Body.(io.Writer), "hello\n")
			must(err)
			for lines := bufio.NewScanner(response.Body); lines.Scan(); {
				c.isUp()
			}
		}()
	}
}

// Reads all the time, little at a time.
func slow(c *client) {
	for i := 0; i < 6; i++ {
		go func() {
			response := c.get("/huge")
			defer response.Body.Close()
			part := make([]byte, 2048)
			for {
				_, err := io.ReadFull(response.Body, part)
				must(err)
				c.isUp()
				time.Sleep(100 * time.Millisecond)
			}
		}()
	}
}

var never = make(chan struct{})

// A goroutine holds the response, will return to it, and is busy with something else for long.
func held(c *client) {
	for i := 0; i < 6; i++ {
		go func() {
			response := c.get("/large")
			defer response.Body.Close()
			c.isUp()
			<-never
			_, err := io.Copy(io.Discard, response.Body)
			must(err)
		}()
	}
}

// Never closed, but canceled by a timeout.
func timeout(c *client) {
	c.Timeout = 200 * time.Millisecond
	c.repeat(func() {
		_, err := c.Get(c.url + "/long-poll")
		mustFail(err)
		// On a loaded host, even the headers may be too late.
		if response, err := c.Get(c.url + "/silence"); err == nil {
			_, err = io.Copy(io.Discard, response.Body)
			mustFail(err)
		}
		_, _ = c.Get(c.url + "/huge")
	})
}

// The same by a context.
func canceled(c *client) {
	c.repeat(func() {
		for _, path := range []string{"/huge", "/silence"} {
			ctx, cancel := context.WithCancel(context.Background())
			request, err := http.NewRequestWithContext(ctx, "GET", c.url+path, nil)
			must(err)
			_, err = c.Do(request)
			must(err)
			cancel()
		}
	})
}

// The port is closed.
func refused(c *client) {
	c.repeat(func() {
		_, err := c.Get("http://127.0.0.1:1/")
		mustFail(err)
	})
}

// Requests with a body, one of which the server rejects.
func posted(c *client) {
	c.repeat(func() {
		for _, path := range []string{"/echo", "/small"} {
			response, err := c.Post(c.url+path, "text/plain", strings.NewReader(strings.Repeat("text", 50000)))
			must(err)
			readAndClose(response)
		}
	})
}

// A proxy, and its clients: some read, some disconnect early, some only wait.
func proxy(c *client) {
	target, err := url.Parse(c.url)
	must(err)
	reverse := httputil.NewSingleHostReverseProxy(target)
	reverse.Transport = c.Transport
	reverse.FlushInterval = -1
	front := httptest.NewServer(reverse)
	outer := &client{url: front.URL, started: c.started}
	go follow(outer, "/silence")
	outer.repeat(func() {
		readAndClose(outer.get("/large"))
		must(outer.get("/huge").Body.Close())
	})
}

func mustFail(err error) {
	if err == nil {
		must(fmt.Errorf("something worked that cannot"))
	}
}
