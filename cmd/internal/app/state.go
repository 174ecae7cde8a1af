package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/lewistv/xcri-proxy/cache/atomicfile"
	"github.com/lewistv/xcri-proxy/proxy"
	"github.com/lewistv/xcri-proxy/proxy/maintenance"
)

// largestState is the maximum size of a state file.
const largestState = 1 << 20

// errNoStateFile is the warning to an operator who changes the state at run time.
var errNoStateFile = errors.New("it will not survive a restart: STATE_FILE is not set")

// loadState reads the state of an earlier run. A file that can't be read ends the
// start: otherwise maintenance mode or a source override would be lost unnoticed.
func loadState(path string) (state proxy.State, err error) {
	if path == "" {
		return state, nil
	}
	text, err := atomicfile.Read(path, largestState)
	if errors.Is(err, fs.ErrNotExist) {
		if err := atomicfile.Check(path); err != nil {
			return state, fmt.Errorf("STATE_FILE %q: %w", path, err)
		}
		return state, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &state)
	}
	if err != nil {
		return state, fmt.Errorf("STATE_FILE %q: %w; mend or remove it", path, err)
	}
	return state, nil
}

// keepState returns a function that writes the state to the file at path.
func keepState(path string) func(proxy.State) error {
	return func(state proxy.State) error {
		if path == "" {
			return errNoStateFile
		}
		if err := writeState(path, state); err != nil {
			return fmt.Errorf("it will not survive a restart: STATE_FILE: %w", err)
		}
		return nil
	}
}

func writeState(path string, state proxy.State) error {
	text, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Replace(path, 0o600, func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
}

// MaintenancePage is the HTML page for maintenance mode; see maintenance.StaticPage.
func MaintenancePage(message string) ([]byte, error) { return maintenance.StaticPage(message) }
