// The demo's two programs in one static binary: a small service that can be told to misbehave, and the steady
// load that watches it from outside.
package main

import (
	"fmt"
	"os"
)

const usage = `usage: serin-demo serve            the service, configured by environment
       serin-demo load [flags]     a steady load and what came of it (load --help)
`

func main() {
	var err error
	switch subcommand() {
	case "serve":
		err = serve(os.Getenv)
	case "load":
		err = load(os.Args[2:])
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "serin-demo:", err)
		os.Exit(1)
	}
}

func subcommand() string {
	if len(os.Args) < 2 {
		return ""
	}
	return os.Args[1]
}
