// The pod sandbox: holds the pod's network namespace and does nothing until it is told to end.
// A program of its own, because every pod runs one and a Go program costs what it imports.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGINT, syscall.SIGTERM)
	<-end
}
