package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lewistv/xcri-proxy/config"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

const precedence = `Every setting is a flag, an environment variable or a line KEY=value of the file
that --env-file or ENV_FILE names. If it has several values, the first of these counts.`

// helpWidth is the column at which the help of a flag is wrapped.
const helpWidth = 110

// keyFlag is the flag of a key. It accepts any text, as config validates the values of
// all sources.
type keyFlag struct {
	key   config.Key
	value string
}

func (f *keyFlag) Set(value string) error { f.value = value; return nil }
func (f *keyFlag) Type() string           { return f.key.Example }

// String is empty, for pflag would print it as the default.
func (f *keyFlag) String() string { return "" }

// addKeyFlags gives cmd a flag for each key and a help that lists them by group.
func addKeyFlags(cmd *cobra.Command, keys []config.Key) {
	var groups []string
	sets := map[string]*pflag.FlagSet{}
	for _, k := range keys {
		if sets[k.Group] == nil {
			groups = append(groups, k.Group)
			sets[k.Group] = pflag.NewFlagSet(k.Group, pflag.ContinueOnError)
			sets[k.Group].SortFlags = false
		}
		def := "default none"
		if k.Default != "" {
			def = fmt.Sprintf("default %q", k.Default)
		}
		sets[k.Group].Var(&keyFlag{key: k}, k.Flag(), fmt.Sprintf("%s (%s, %s)", k.Usage, k.Name, def))
	}
	for _, group := range groups {
		cmd.Flags().AddFlagSet(sets[group])
	}
	cmd.SetUsageFunc(func(cmd *cobra.Command) error {
		w := cmd.OutOrStderr()
		fmt.Fprintf(w, "Usage:\n  %s\n\nExamples:\n%s\n", cmd.UseLine(), cmd.Example)
		for _, group := range groups {
			fmt.Fprintf(w, "\n%s:\n%s", group, sets[group].FlagUsagesWrapped(helpWidth))
		}
		other := pflag.NewFlagSet("other", pflag.ContinueOnError)
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if _, ok := f.Value.(*keyFlag); !ok {
				other.AddFlag(f)
			}
		})
		fmt.Fprintf(w, "\nOther flags:\n%s", other.FlagUsagesWrapped(helpWidth))
		return nil
	})
}

// routeNames returns the paths of all endpoints, which name routes.
func routeNames() (names []string) {
	for _, e := range store.Endpoints() {
		names = append(names, e.Path)
	}
	return names
}

// checkRoutes validates the values of the flag --route.
func checkRoutes(names []string) error {
	for _, name := range names {
		if _, err := route.NewRouter(store.Endpoints(), "").Named(name); err != nil {
			return fmt.Errorf("--%w", err)
		}
	}
	return nil
}

// aboveZero is the value of a flag that takes a duration above zero.
type aboveZero time.Duration

func (d *aboveZero) String() string { return time.Duration(*d).String() }
func (d *aboveZero) Type() string   { return "duration" }

// Set accepts a duration above zero.
func (d *aboveZero) Set(text string) error {
	parsed, err := time.ParseDuration(text)
	if err == nil && parsed <= 0 {
		err = errors.New("not above zero")
	}
	*d = aboveZero(parsed)
	return err
}

// addTimeout adds the flag --timeout to cmd.
func addTimeout(cmd *cobra.Command, timeout time.Duration) *time.Duration {
	cmd.Flags().Var((*aboveZero)(&timeout), "timeout", "longest wait for the answer")
	return &timeout
}

// load reads the configuration from the flags given to cmd, the environment and
// the env file.
func (p *program) load(cmd *cobra.Command) (config.Config, error) {
	given := map[string]string{}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if kf, ok := f.Value.(*keyFlag); ok {
			given[kf.key.Name] = kf.value
		}
	})
	lookup := func(name string) (string, bool) {
		value, ok := p.env[name]
		return value, ok
	}
	cfg, err := config.Load(given, lookup, slices.Sorted(maps.Keys(p.env))...)
	if err != nil {
		return cfg, fmt.Errorf("the configuration is wrong:\n  %s", strings.ReplaceAll(err.Error(), "\n", "\n  "))
	}
	return cfg, nil
}

// kinds describes the values of a flag, by the flag's type.
var kinds = map[string]string{
	"bool": "true or false", "int": "a whole number", "int64": "a whole number", "uint64": "a whole number from 0 on",
	"float64": "a number", "duration": "a duration such as 500ms, 30s or 2h",
}

// flagError adds the most similar flag of cmd to the error for an unknown flag, and the
// values that a flag takes to the error for a wrong value. It never repeats the text
// after the = of an unknown flag, which may be a secret.
func flagError(cmd *cobra.Command, err error) error {
	var wrong *pflag.InvalidValueError
	if errors.As(err, &wrong) && kinds[wrong.GetFlag().Value.Type()] != "" {
		return fmt.Errorf("--%s %q: want %s", wrong.GetFlag().Name, wrong.GetValue(), kinds[wrong.GetFlag().Value.Type()])
	}
	var missing *pflag.NotExistError
	if !errors.As(err, &missing) {
		return err
	}
	name, dashes := missing.GetSpecifiedName(), "--"
	if short := missing.GetSpecifiedShortnames(); short != "" {
		name, dashes = short, "-"
	}
	name, _, _ = strings.Cut(name, "=")
	err = fmt.Errorf("unknown flag: %s%s", dashes, name)
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	if meant := config.Nearest(name, known...); meant != "" && len(name) > 1 {
		return fmt.Errorf("%w, did you mean --%s?", err, meant)
	}
	return err
}
