// Command xcri-bench measures the proxy on data of production's size and compares it
// with other programs: hits with bare fasthttp, nginx and Varnish on one core each,
// and fills with the mariadb client. It also measures memory, a day of visitors,
// concurrent cold requests, the time until an import is published, and visitors beside
// an attack. It prints a table with a bound for each row, and draws a chart.
//
//	go run ./cmd/xcri-bench
//
// It needs root on a Debian with at least two cores and installs missing packages.
// While it runs, the TCP congestion control is cubic. A run takes half an hour, and with
// -short less than five minutes: it then names the chapters that only a long run measures.
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
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/lab"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/machine"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/neighbours"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/report"
)

type settings struct {
	lab      lab.Options
	only     []string // chapters to measure
	left     []string // chapters that take too long for -short
	markdown bool
	chart    string
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
	flags := flag.NewFlagSet("xcri-bench", flag.ExitOnError)
	only := flags.String("only", "", "the chapters to measure, separated by commas; empty for all")
	flags.BoolVar(&s.lab.Plan.Short, "short", false, "fewer and shorter rounds; without -only also without the chapters that take minutes even then")
	flags.BoolVar(&s.lab.Why, "why", false, "show the system calls and the profile of each server that is compared, with strace and perf")
	flags.BoolVar(&s.markdown, "markdown", false, "print tables for README.md")
	flags.StringVar(&s.lab.Data, "data", "", "folder to keep the generated data in from run to run; empty to make them anew")
	flags.StringVar(&s.chart, "chart", "cmd/xcri-bench/speed.svg", "file to draw the comparison to; empty for none")
	flags.Parse(args)
	return s, s.choose(*only)
}

// choose selects the chapters that -only names, or if it is empty all that the length of the
// run admits.
func (s *settings) choose(only string) error {
	var known []string
	for _, c := range chapters {
		known = append(known, c.name)
		switch {
		case only != "":
		case c.takes == minutes && s.lab.Plan.Short:
			s.left = append(s.left, c.name)
		default:
			s.only = append(s.only, c.name)
		}
	}
	if only == "" {
		return nil
	}
	s.only = strings.Split(only, ",")
	for _, name := range s.only {
		if !slices.Contains(known, name) {
			return fmt.Errorf("-only %s: there is %s", name, strings.Join(known, ", "))
		}
	}
	return nil
}

func run(ctx context.Context, s settings) error {
	l, err := lab.Open(ctx, s.lab)
	if err != nil {
		return err
	}
	defer l.Close()
	begun, err := machine.ReadShare()
	if err != nil {
		return err
	}
	watch, err := machine.NewWatch()
	if err != nil {
		return err
	}
	l.Reports.Machine = watch.State
	var failed error
	for _, c := range chapters {
		if !slices.Contains(s.only, c.name) {
			continue
		}
		report.Progress("%s ...", c.name)
		begunAt := time.Now()
		// A measurement that fails does not discard the other figures.
		for _, measure := range c.rows {
			if err := measure(ctx, l); err != nil {
				failed = errors.Join(failed, fmt.Errorf("%s: %w", c.name, err))
			}
		}
		report.Progress("%s took %v", c.name, time.Since(begunAt).Round(time.Second))
		if ctx.Err() != nil {
			return failed
		}
	}
	lost, err := begun.Lost()
	return errors.Join(failed, err, show(&l.Reports, machine.Describe(ctx, lost), s))
}

// show prints the report and draws the chart.
func show(r *report.Report, on string, s settings) error {
	if s.markdown {
		r.Markdown(os.Stdout, on)
	} else {
		r.Print(os.Stdout, on)
	}
	if len(s.left) > 0 {
		fmt.Printf("\nLeft to a run without -short: %s.\n", strings.Join(s.left, ", "))
	}
	if s.chart == "" || len(r.Paces) == 0 {
		return nil
	}
	names := neighbours.Names
	return report.WriteChart(s.chart, report.Chart{
		Paces: r.Paces, Note: on, Ours: names[neighbours.Ours], Base: []string{names[neighbours.Bare], names[neighbours.Untimed]},
	})
}
