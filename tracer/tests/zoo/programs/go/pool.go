package main

import (
	"io"
	"math/rand"
	"net/http"
	"sync"
	"time"
)

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 50}}

// pool: an http.Transport that keeps up to 50 idle connections, used in bursts of random size. In
// addition, requests fail one by one with status 500, on which the twin returns without closing the body.
func pool() {
	go func() {
		for count := 0; !leak || count < leaks; count++ {
			time.Sleep(2 * pace())
			response, err := client.Get("http://" + upstream + "/error")
			must(err)
			if leak {
				event(keep)
				continue
			}
			response.Body.Close()
		}
	}()
	for {
		var burst sync.WaitGroup
		for i := rand.Intn(50); i >= 0; i-- {
			burst.Add(1)
			go func() {
				defer burst.Done()
				response, err := client.Get("http://" + upstream + "/after?s=0.3")
				if err != nil {
					return
				}
				defer response.Body.Close()
				io.Copy(io.Discard, response.Body)
			}()
		}
		burst.Wait()
		time.Sleep(between(1, 3))
	}
}
