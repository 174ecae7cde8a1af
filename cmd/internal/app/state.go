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

// largestState is the size from which a file is no state file.
const largestState = 1 << 20

// errNoStateFile is told to who changes something while running.
var errNoStateFile = errors.New("it will not survive a restart: STATE_FILE is not set")

// loadState reads what an earlier run kept. A file that can't be read stops the
// start: to leave maintenance mode, or a source, behind unnoticed would be worse.
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

// MaintenancePage is the page that people get in maintenance mode; see
// maintenance.StaticPage.
func MaintenancePage(message string) ([]byte, error) { return maintenance.StaticPage(message) }
