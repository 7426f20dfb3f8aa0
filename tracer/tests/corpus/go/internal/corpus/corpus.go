// Package corpus is what every program of the corpus has to do, whatever it shows.
package corpus

import (
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"time"
)

// Pace is the pause between two things that leak.
func Pace() time.Duration { return milliseconds("CORPUS_PACE_MS", 1000) }

// Idle is T, how long a connection has to be silent before anything is said of it.
func Idle() time.Duration { return milliseconds("CORPUS_IDLE_MS", 10_000) }

// Count is how many things leak.
func Count() int { return number("CORPUS_COUNT", 25) }

func milliseconds(name string, otherwise int) time.Duration {
	return time.Duration(number(name, otherwise)) * time.Millisecond
}

func number(name string, otherwise int) int {
	value, err := strconv.Atoi(os.Getenv(name))
	if err != nil || value < 1 {
		return otherwise
	}
	return value
}

// EachPace does something as often as something is to leak, with the pause in between.
func EachPace(do func(index int)) {
	for index := 0; index < Count(); index++ {
		if index > 0 {
			time.Sleep(Pace())
		}
		do(index)
	}
}

// Judge says that this process is to be judged, and others of the session are not.
func Judge() { fmt.Println("judge", os.Getpid()) }

// Stay says that everything has happened, and returns when the runner wants an end.
func Stay() {
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}

// Must ends the program, and so the case, when something does not work.
func Must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
