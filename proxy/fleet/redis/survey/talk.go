package survey

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// The limits of an answer, which may be another program's.
const mostText, mostElements, mostDepth = 64 << 10, 1024, 3

// mostTalk limits the bytes of a conversation: an answer may also have no end.
const mostTalk = 1 << 20

var errNoRedis = errors.New("no answer of a Redis")

// refusal is the error that a server answers.
type refusal string

func (r refusal) Error() string { return string(r) }

// talk is a conversation with one server in RESP2. The client of the level would do, but it
// ends the process if the server is no Redis.
type talk struct {
	conn net.Conn
	in   *bufio.Reader
}

// begin connects. secure is nil for a connection without TLS.
func (p place) begin(ctx context.Context, addr string, secure *tls.Config) (*talk, error) {
	ctx, cancel := context.WithTimeout(ctx, p.most)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, p.network, addr)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(p.most)); err != nil {
		conn.Close()
		return nil, err
	}
	if secure != nil {
		over := tls.Client(conn, secure)
		if err := over.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		conn = over
	}
	return &talk{conn, bufio.NewReader(io.LimitReader(conn, mostTalk))}, nil
}

func (t *talk) end() { t.conn.Close() }

// ask sends a command and returns the texts of its answer, none for nil. The error is a
// refusal if the server answers with an error.
func (t *talk) ask(words ...string) ([]string, error) {
	var command strings.Builder
	fmt.Fprintf(&command, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&command, "$%d\r\n%s\r\n", len(w), w)
	}
	if _, err := io.WriteString(t.conn, command.String()); err != nil {
		return nil, err
	}
	return t.read(0)
}

// read reads an answer. The texts of its parts follow one another.
func (t *talk) read(depth int) (texts []string, err error) {
	line, err := t.in.ReadString('\n')
	if err != nil {
		return nil, err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return nil, errNoRedis
	}
	rest := line[1:]
	n, notNumber := strconv.Atoi(rest)
	switch kind := line[0]; {
	case kind == '+', kind == ':':
		return []string{rest}, nil
	case kind == '-':
		return nil, refusal(rest)
	case n == -1 && (kind == '$' || kind == '*'):
		return nil, nil
	case kind == '$' && notNumber == nil && n >= 0 && n <= mostText:
		text := make([]byte, n+2)
		_, err := io.ReadFull(t.in, text)
		return []string{string(text[:n])}, err
	case kind == '*' && notNumber == nil && n >= 0 && n <= mostElements && depth < mostDepth:
		for range n {
			part, err := t.read(depth + 1)
			if err != nil {
				return nil, err
			}
			texts = append(texts, part...)
		}
		return texts, nil
	}
	return nil, errNoRedis
}

// isRedis reports whether a server without TLS, or with it, answers a command as Redis does.
func (p place) isRedis(ctx context.Context, addr string, secure *tls.Config) bool {
	t, err := p.begin(ctx, addr, secure)
	if err != nil {
		return false
	}
	defer t.end()
	_, err = t.ask("PING")
	var refused refusal
	return err == nil || errors.As(err, &refused)
}
