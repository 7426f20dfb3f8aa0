package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"corpus/programs/internal/corpus"
)

// Number of connections of a healthy program.
const many = 20

// drain reads a body to EOF and closes it.
func drain(response *http.Response) {
	_, err := io.Copy(io.Discard, response.Body)
	corpus.Must(err)
	corpus.Must(response.Body.Close())
}

// closedUnread closes bodies that it has not read, which closes the connection.
func closedUnread(address string) {
	corpus.EachPace(func(int) { corpus.Must(get(http.DefaultClient, address).Body.Close()) })
}

// drainedUnclosed reads to EOF and never closes; the connection is reused.
func drainedUnclosed(address string) {
	corpus.EachPace(func(int) {
		_, err := io.Copy(io.Discard, get(http.DefaultClient, address).Body)
		corpus.Must(err)
	})
}

// shared uses one client for all requests.
func shared(address string) {
	corpus.EachPace(func(int) { drain(get(http.DefaultClient, address)) })
}

// atOnce runs something many times concurrently.
func atOnce(do func()) {
	var group sync.WaitGroup
	for index := 0; index < many; index++ {
		group.Add(1)
		go func() {
			defer group.Done()
			do()
		}()
	}
	group.Wait()
}

// concurrent makes many requests at once, with the default pool of two; the others are closed.
func concurrent(address string) {
	corpus.EachPace(func(int) {
		atOnce(func() { drain(get(http.DefaultClient, address)) })
	})
}

// burstPool had a burst of load, and its pool has kept the connections.
func burstPool(address string) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	for burst := 0; burst < 3; burst++ {
		atOnce(func() { drain(get(client, address)) })
		time.Sleep(corpus.Pace())
	}
}

// streams opens streams one after the other and reads what arrives, if anything does.
func streams(address string) {
	corpus.EachPace(func(int) {
		response := get(http.DefaultClient, address)
		go func() {
			_, err := io.Copy(io.Discard, response.Body)
			corpus.Must(err)
		}()
	})
}

// websocket upgrades connections, sends something on each and reads forever.
func websocket(address string) {
	corpus.EachPace(func(int) {
		request, err := http.NewRequest(http.MethodGet, address, nil)
		corpus.Must(err)
		request.Header.Set("Connection", "Upgrade")
		request.Header.Set("Upgrade", "echo")
		response, err := http.DefaultClient.Do(request)
		corpus.Must(err)
		stream := response.Body.(io.ReadWriteCloser)
		_, err = io.WriteString(stream, "hello")
		corpus.Must(err)
		go func() {
			_, err := io.Copy(io.Discard, stream)
			corpus.Must(err)
		}()
	})
}

// pending waits for responses that do not arrive.
func pending(address string) {
	corpus.EachPace(func(int) {
		go func() { drain(get(http.DefaultClient, address)) }()
	})
}

// ask makes one request over a plain connection, as a database driver does.
func ask(connection net.Conn, address string) {
	_, err := io.WriteString(connection, requestFor(address))
	corpus.Must(err)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	corpus.Must(err)
	drain(response)
}

// openPool fills a pool of plain connections, each of which is used a few times.
func openPool(address string) {
	corpus.EachPace(func(int) {
		connection, err := net.Dial("tcp", hostOf(address))
		corpus.Must(err)
		for times := 0; times < 3; times++ {
			ask(connection, address)
		}
		connections = append(connections, connection)
	})
}

// databaseParked is a pool whose driver always has a read pending, to notice when the server closes.
func databaseParked(address string) {
	openPool(address)
	for _, connection := range connections {
		go func(connection net.Conn) {
			io.Copy(io.Discard, connection)
			corpus.Must(connection.Close())
		}(connection)
	}
}

// database is a pool whose driver reads only responses to its requests.
func database(address string) {
	openPool(address)
}

// timeout forgets bodies too, but its client's timeout closes them.
func timeout(address string) {
	client := &http.Client{Timeout: corpus.Idle() / 2}
	corpus.EachPace(func(int) { get(client, address) })
}

// download reads many large bodies at once, slowly.
func download(address string) {
	for index := 0; index < corpus.Count(); index++ {
		response := get(http.DefaultClient, address)
		go func() {
			for {
				_, err := io.CopyN(io.Discard, response.Body, 16*1024)
				if err == io.EOF {
					return
				}
				corpus.Must(err)
				time.Sleep(corpus.Pace())
			}
		}()
	}
}

// lateReader waits for half of `--idle` before it reads each response, repeatedly.
func lateReader(address string) {
	for index := 0; index < corpus.Count(); index++ {
		go func() {
			for {
				response := get(http.DefaultClient, address)
				time.Sleep(corpus.Idle() / 2)
				drain(response)
			}
		}()
		time.Sleep(corpus.Pace() / 10)
	}
}
