package main

import (
	"fmt"
	"net/http"
)

// doSomething charges a customer, and leaks the response.
func doSomething(url string) error {
	response, err := client.Get(url) // the call site that the tests expect
	if err != nil {
		return err
	}
	// defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("charging failed: %s", response.Status)
	}
	return nil
}
