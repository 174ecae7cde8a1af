// Command xcri-bench measures the proxy on data of production's size and compares it
// with other programs: hits with bare fasthttp, nginx and Varnish on one core each,
// and fills with the mariadb client. It also measures memory, a day of visitors,
// concurrent cold requests, and the time until an import is published. It prints a
// table with a bound for each row, and draws a chart.
//
//	go run ./cmd/xcri-bench
//
// It needs root on a Debian with at least two cores and installs missing packages.
// While it runs, the TCP congestion control is cubic. A run takes half an hour, with
// -short some minutes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// chapters are the measurements in the order of the table.
var chapters = []struct {
	name    string
	measure func(context.Context, *lab) error
}{
	{"hits", hits}, {"304", notModified}, {"cold", cold}, {"warm", warm}, {"memory", memoryRows},
	{"day", day}, {"herd", herd}, {"flat", flat}, {"imports", imports},
}

type settings struct {
	only                 []string
	short, why, markdown bool
	data, chart          string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := parse(os.Args[1:])
	if err == nil {
		err = run(ctx, s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "xcri-bench:", err)
		os.Exit(1)
	}
}

func parse(args []string) (s settings, err error) {
	var known []string
	for _, c := range chapters {
		known = append(known, c.name)
	}
	flags := flag.NewFlagSet("xcri-bench", flag.ExitOnError)
	only := flags.String("only", strings.Join(known, ","), "what to measure")
	flags.BoolVar(&s.short, "short", false, "fewer and shorter rounds")
	flags.BoolVar(&s.why, "why", false, "show the system calls and the profile of each server that is compared, with strace and perf")
	flags.BoolVar(&s.markdown, "markdown", false, "print tables for README.md")
	flags.StringVar(&s.data, "data", "", "folder to keep the generated data in from run to run; empty to make them anew")
	flags.StringVar(&s.chart, "chart", "cmd/xcri-bench/speed.svg", "file to draw the comparison to; empty for none")
	flags.Parse(args)
	s.only = strings.Split(*only, ",")
	for _, name := range s.only {
		if !slices.Contains(known, name) {
			return s, fmt.Errorf("-only %s: there is %s", name, strings.Join(known, ", "))
		}
	}
	return s, nil
}

func run(ctx context.Context, s settings) error {
	l, err := open(ctx, s)
	if err != nil {
		return err
	}
	defer l.close()
	begun, err := readShare()
	if err != nil {
		return err
	}
	var failed error
	for _, c := range chapters {
		if !slices.Contains(s.only, c.name) {
			continue
		}
		progress("%s ...", c.name)
		// A chapter that fails does not discard the other figures.
		if err := c.measure(ctx, l); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", c.name, err))
		}
		if ctx.Err() != nil {
			return failed
		}
	}
	lost, err := begun.lost()
	return errors.Join(failed, err, l.show(machine(ctx, lost)))
}

func (l *lab) show(on string) error {
	if l.markdown {
		l.reports.markdown(os.Stdout, on)
	} else {
		l.reports.print(os.Stdout, on)
	}
	if l.chart == "" || len(l.reports.paces) == 0 {
		return nil
	}
	return writeChart(l.chart, l.reports.paces, on)
}

// progress reports the progress of the run to the operator.
func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
