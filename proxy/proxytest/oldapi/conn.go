package oldapi

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"
)

// accept serves connections until the listener is closed.
func (s *Server) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.opened++
		s.conns[c] = struct{}{}
		number := s.opened
		select {
		case <-s.done:
			c.Close()
		default:
		}
		s.mu.Unlock()
		s.running.Go(func() {
			s.serve(c, number)
			c.Close()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		})
	}
}

// serve handles the requests of one connection.
func (s *Server) serve(conn net.Conn, number int) {
	c := client{conn, bufio.NewReader(conn)}
	for n := 0; ; n++ {
		if n > 0 {
			c.SetReadDeadline(time.Now().Add(s.opts.Idle))
		}
		if _, err := c.from.Peek(1); err != nil {
			return
		}
		c.SetReadDeadline(time.Time{})
		if n > 0 && s.hangsUp() {
			return // with the request unread, so the client gets a reset
		}
		req, err := http.ReadRequest(c.from)
		if err != nil {
			c.send("HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		r := Request{req.Method, req.RequestURI, req.Host, req.Header, string(body), number}
		if !s.handle(c, r) || req.Close {
			return
		}
	}
}

// handle answers a request when a worker is free. It returns false if the connection
// must be closed.
func (s *Server) handle(c client, r Request) bool {
	s.mu.Lock()
	s.requests = append(s.requests, r)
	var fault Fault
	if len(s.faults) > 0 && s.faults[0] != HangUp {
		fault, s.faults = s.faults[0], s.faults[1:]
	}
	delay := s.delay
	s.mu.Unlock()
	select {
	case s.workers <- struct{}{}:
		defer func() { <-s.workers }()
	case <-s.done:
		return false
	}
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-s.done:
			return false
		}
	}
	resp := s.answer(r)
	if f := faults[fault].make; f != nil {
		return f(c, resp)
	}
	if r.Method == http.MethodHead || resp.status == http.StatusNoContent {
		resp.body = nil
	}
	return c.send(resp.head(), string(resp.body))
}

// hangsUp reports whether the next fault closes a kept connection.
func (s *Server) hangsUp() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) == 0 || s.faults[0] != HangUp {
		return false
	}
	s.faults = s.faults[1:]
	s.hungUp++
	return true
}
