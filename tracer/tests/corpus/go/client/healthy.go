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

// How many connections a healthy program holds.
const many = 20

// drain reads a body to its end and closes it.
func drain(response *http.Response) {
	_, err := io.Copy(io.Discard, response.Body)
	corpus.Must(err)
	corpus.Must(response.Body.Close())
}

// closedUnread closes bodies that it has not read, which ends the connection.
func closedUnread(address string) {
	corpus.EachPace(func(int) { corpus.Must(get(http.DefaultClient, address).Body.Close()) })
}

// drainedUnclosed reads to the end and never closes, after which the connection is used again.
func drainedUnclosed(address string) {
	corpus.EachPace(func(int) {
		_, err := io.Copy(io.Discard, get(http.DefaultClient, address).Body)
		corpus.Must(err)
	})
}

// shared is a client as it should be.
func shared(address string) {
	corpus.EachPace(func(int) { drain(get(http.DefaultClient, address)) })
}

// atOnce does something many times at the same time.
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

// concurrent asks many times at once, with the default pool of two; the others are closed.
func concurrent(address string) {
	corpus.EachPace(func(int) {
		atOnce(func() { drain(get(http.DefaultClient, address)) })
	})
}

// burstPool had a busy moment, and its pool has kept the connections.
func burstPool(address string) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	for burst := 0; burst < 3; burst++ {
		atOnce(func() { drain(get(client, address)) })
		time.Sleep(corpus.Pace())
	}
}

// streams opens streams one after the other and reads what comes, if anything does.
func streams(address string) {
	corpus.EachPace(func(int) {
		response := get(http.DefaultClient, address)
		go func() {
			_, err := io.Copy(io.Discard, response.Body)
			corpus.Must(err)
		}()
	})
}

// websocket upgrades connections, says something on each and listens for ever.
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

// pending waits for answers that do not come.
func pending(address string) {
	corpus.EachPace(func(int) {
		go func() { drain(get(http.DefaultClient, address)) }()
	})
}

// ask does one request over a plain connection, as a database driver does.
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

// databaseParked is a pool whose driver reads all the time, to notice when the server goes.
func databaseParked(address string) {
	openPool(address)
	for _, connection := range connections {
		go func(connection net.Conn) {
			io.Copy(io.Discard, connection)
			corpus.Must(connection.Close())
		}(connection)
	}
}

// database is a pool whose driver reads only what it has asked for.
func database(address string) {
	openPool(address)
}

// timeout forgets bodies too, but its client closes them after a while.
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

// lateReader lets every response lie for half of T before it reads it, again and again.
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
