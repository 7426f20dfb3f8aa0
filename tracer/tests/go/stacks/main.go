// Prints its call stacks, both as symbolized by the runtime and as the raw addresses on its stack, so
// that a test can compare how it symbolizes the addresses.
//
// For each kind of call it prints "stack NAME", for the function itself "entry ADDRESS CALL", for
// each return address "return ADDRESS", and for each frame according to the runtime "call CALL",
// where CALL is the function, the line and the file. Then it prints "ready" and waits until its
// standard input is closed.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"unsafe"
)

// The frame pointer of its caller.
func framePointer() uintptr

// The frames as an external profiler finds them: each begins with the address of the next one,
// followed by the return address.
//
//go:noinline
func capture(name string) {
	var returns [64]uintptr
	count := 0
	for frame := framePointer(); frame != 0 && count < len(returns); count++ {
		returns[count] = *(*uintptr)(unsafe.Pointer(frame + 8))
		frame = *(*uintptr)(unsafe.Pointer(frame))
	}
	var callers [256]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers[:])])

	entry := reflect.ValueOf(capture).Pointer()
	file, line := runtime.FuncForPC(entry).FileLine(entry)
	fmt.Println("stack", name)
	fmt.Printf("entry %x main.capture %d %s\n", entry, line, file)
	for _, address := range returns[:count] {
		fmt.Printf("return %x\n", address)
	}
	for {
		frame, more := frames.Next()
		fmt.Printf("call %s %d %s\n", frame.Function, frame.Line, frame.File)
		if !more {
			break
		}
	}
}

// Inlined into their callers, three deep.
func outer(name string)  { middle(name + "") }
func middle(name string) { inner(name + "") }
func inner(name string) {
	capture(name)
}

type service struct{ name string }

func (it *service) byPointer(name string) { capture(name) }
func (it service) byValue(name string)    { capture(name) }

type caller interface {
	byPointer(name string)
	byValue(name string)
}

// Its methods are those of the service, through wrappers that the compiler generates.
type wrapper struct{ *service }

//go:noinline
func through(it caller, name string) {
	it.byPointer(name + " by pointer")
	it.byValue(name + " by value")
}

type number interface{ ~int | ~float64 }

//go:noinline
func generic[T number](name string, it T) T {
	capture(name)
	return it
}

type list[T any] struct{ items []T }

func (it *list[T]) each(do func(T)) {
	for _, item := range it.items {
		do(item)
	}
}

func deferred(name string) {
	defer func() {
		if recover() != nil {
			capture(name)
		}
	}()
	var nothing *service
	_ = nothing.name
}

// Prints where it was called.
type transport struct{}

func (transport) RoundTrip(request *http.Request) (*http.Response, error) {
	capture(strings.TrimPrefix(request.URL.Path, "/"))
	body := io.NopCloser(strings.NewReader(""))
	return &http.Response{StatusCode: 204, Body: body, Request: request}, nil
}

//go:noinline
func doSomething(client *http.Client) {
	response, _ := client.Get("http://billing/get")
	response.Body.Close()
	response, _ = http.Get("http://billing/default")
	response.Body.Close()
	request, _ := http.NewRequest(
		"PUT",
		"http://billing/do",
		nil,
	)
	response, _ = client.
		Do(request)
	response.Body.Close()
}

func recursive(depth int) {
	if depth == 0 {
		outer("recursive")
		return
	}
	recursive(depth - 1)
}

var atStart = func() bool { capture("a variable"); return true }()

func init() { capture("init") }

func main() {
	outer("inlined")
	it := &service{name: "x"}
	it.byPointer("pointer")
	it.byValue("value")
	through(it, "interface")
	through(wrapper{it}, "embedded")
	func() {
		func() { capture("closures") }()
	}()
	generic("generic int", 1)
	generic("generic float", 1.5)
	numbers := list[string]{items: []string{"generic method"}}
	numbers.each(func(name string) { capture(name) })
	bound := it.byPointer
	bound("bound")
	deferred("deferred")
	recursive(5)

	var group sync.WaitGroup
	group.Add(1)
	go func() {
		defer group.Done()
		outer("goroutine")
	}()
	group.Wait()

	http.DefaultTransport = transport{}
	doSomething(&http.Client{Transport: transport{}})
	doSomething(http.DefaultClient)

	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}
