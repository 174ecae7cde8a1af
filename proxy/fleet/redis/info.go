package redis

import "context"

// Info returns the text of INFO of each server that the Engine uses, by its address.
func (e *Engine) Info(ctx context.Context) (map[string]string, error) {
	client, err := e.now()
	if err != nil {
		return nil, err
	}
	return bounded(ctx, func() (map[string]string, error) {
		found := map[string]string{}
		for addr, server := range client.Nodes() {
			text, err := server.Do(ctx, server.B().Info().Build()).ToString()
			if err != nil {
				return nil, err
			}
			found[addr] = text
		}
		return found, nil
	})
}
