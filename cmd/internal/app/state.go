package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/lewistv/xcri-proxy/proxy"
	"github.com/lewistv/xcri-proxy/proxy/maintenance"
)

// errNoStateFile is told to who changes something while running.
var errNoStateFile = errors.New("it will not survive a restart: STATE_FILE is not set")

// loadState reads what an earlier run kept. A file that can't be read stops the
// start: to leave maintenance mode, or a source, behind unnoticed would be worse.
func loadState(path string) (state proxy.State, err error) {
	if path == "" {
		return state, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Dir(path)); err != nil {
			return state, fmt.Errorf("STATE_FILE %q: there is no such folder: %w", path, err)
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

// keepState returns what writes the file: to a temporary one that takes its
// place when it is whole.
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
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = temporary.Write(append(text, '\n'))
	err = errors.Join(err, temporary.Sync(), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return nil
}

// MaintenancePage is the page that people get in maintenance mode; see
// maintenance.StaticPage.
func MaintenancePage(message string) ([]byte, error) { return maintenance.StaticPage(message) }
