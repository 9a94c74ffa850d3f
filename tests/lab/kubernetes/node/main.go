// The lab's Kubernetes in one binary: etcd, the control plane, the node agents, metrics-server and kwok.
// The name that it is called by picks the program, so that the lab installs links and not eight builds, and what the
// programs share is compiled and linked once.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
)

// commands are run by Kubernetes' own runner; runners do that themselves.
var (
	commands = map[string]func() *cobra.Command{}
	runners  = map[string]func(){}
)

func main() {
	name := filepath.Base(os.Args[0])
	if run, known := runners[name]; known {
		run()
		return
	}
	command, known := commands[name]
	if !known {
		var names []string
		for one := range commands {
			names = append(names, one)
		}
		for one := range runners {
			names = append(names, one)
		}
		sort.Strings(names)
		fmt.Fprintf(os.Stderr, "%s: call this binary as one of: %s\n", name, strings.Join(names, ", "))
		os.Exit(2)
	}
	os.Exit(cli.Run(command()))
}
