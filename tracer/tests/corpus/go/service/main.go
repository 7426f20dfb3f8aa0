// Servers and proxies: `service SCENARIO [URL]`. It is judged; its clients are a separate
// process, `service peer SCENARIO ADDRESS`.
package main

import (
	"bufio"
	"io"
	"log"
	"net"
	"os"
	"os/exec"

	"corpus/programs/internal/corpus"
)

// scenarios start serving; each gets the listener and the URL of the corpus's server, if any.
var scenarios = map[string]func(listener net.Listener, address string){
	// Leaks.
	"hijack-forgotten": hijackForgotten,
	"accept-forgotten": acceptForgotten,

	// Healthy.
	"hung-handlers": hungHandlers,
	"plain":         plain,
	"proxy":         proxy,
}

// peers are the clients, by what they do to the service.
var peers = map[string]func(address string){
	"asking":   asking,
	"leaving":  leaving,
	"silent":   silent,
	"stalling": stalling,
}

func main() {
	log.SetFlags(log.Ltime)
	if len(os.Args) < 3 {
		log.Fatal("usage: service SCENARIO PEER [URL]")
	}
	if os.Args[1] == "peer" {
		peer(os.Args[2], os.Args[3])
		return
	}
	scenario, known := scenarios[os.Args[1]]
	if !known {
		log.Fatal("no such scenario: ", os.Args[1])
	}
	address := ""
	if len(os.Args) > 3 {
		address = os.Args[3]
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	corpus.Must(err)
	scenario(listener, address)
	startPeer(os.Args[2], listener.Addr().String())
	corpus.Judge()
	corpus.Stay()
}

// lifeline is kept here, because the garbage collector would close it.
var lifeline io.WriteCloser

// startPeer starts the clients, and returns when they are done.
func startPeer(name, address string) {
	program, err := os.Executable()
	corpus.Must(err)
	command := exec.Command(program, "peer", name, address)
	command.Stderr = os.Stderr
	// It exits with this program, which holds the other end of the pipe until then.
	lifeline, err = command.StdinPipe()
	corpus.Must(err)
	output, err := command.StdoutPipe()
	corpus.Must(err)
	corpus.Must(command.Start())
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil || line != "ready\n" {
		log.Fatal("the peer does not get ready: ", line, err)
	}
	go io.Copy(io.Discard, output)
}

func peer(name, address string) {
	scenario, known := peers[name]
	if !known {
		log.Fatal("no such peer: ", name)
	}
	scenario(address)
	corpus.Stay()
}
