package proxy

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/store/storetest/need"
)

// browser is a headless Chromium with one open page. The tests control it over a pipe
// with the DevTools protocol.
type browser struct {
	t       testing.TB
	to      *os.File
	session string

	mu       sync.Mutex
	calls    int
	waiting  map[int]chan browserReply
	trouble  []string // messages on the page's console, and failed requests
	requests []string
}

type browserReply struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct{ Message string }
}

// openBrowser starts Chromium and stops it when the test ends. Without Chromium
// the test is skipped, but not in CI.
func openBrowser(t testing.TB) *browser {
	t.Helper()
	binary := need.Program(t, "chromium", "chromium")
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, binary, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
		"--host-resolver-rules=MAP evil.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--user-data-dir="+t.TempDir(), "--remote-debugging-pipe", "about:blank")
	in, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{in, out} // Chromium uses file descriptors 3 and 4
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	out.Close()
	b := &browser{t: t, to: to, waiting: map[int]chan browserReply{}}
	done := make(chan struct{})
	go func() { defer close(done); b.listen(from) }()
	t.Cleanup(func() {
		b.call("Browser.close", nil, nil)
		time.AfterFunc(10*time.Second, cancel)
		cmd.Wait()
		cancel()
		to.Close()
		from.Close()
		<-done
	})
	b.attach()
	return b
}

// attach opens a page and subscribes to the events that the tests need.
func (b *browser) attach() {
	b.t.Helper()
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Network", "Log"} {
		b.call(domain+".enable", nil, nil)
	}
}

// listen reads the browser's messages until it ends.
func (b *browser) listen(from *os.File) {
	in := bufio.NewReader(from)
	for {
		message, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		var r browserReply
		if json.Unmarshal(message[:len(message)-1], &r) != nil {
			continue
		}
		b.mu.Lock()
		if answer := b.waiting[r.ID]; answer != nil {
			delete(b.waiting, r.ID)
			answer <- r
		}
		b.note(r)
		b.mu.Unlock()
	}
}

// note records an event for later checks.
func (b *browser) note(r browserReply) {
	switch r.Method {
	case "Network.requestWillBeSent":
		var p struct{ Request struct{ URL string } }
		json.Unmarshal(r.Params, &p)
		b.requests = append(b.requests, p.Request.URL)
	case "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded", "Network.loadingFailed":
		b.trouble = append(b.trouble, r.Method+": "+string(r.Params))
	}
}

// call sends a command and waits for its result.
func (b *browser) call(method string, params map[string]any, result any) {
	b.t.Helper()
	r := b.send(method, params)
	if r.Error != nil {
		b.t.Fatalf("%s: %s", method, r.Error.Message)
	}
	if result != nil {
		if err := json.Unmarshal(r.Result, result); err != nil {
			b.t.Fatalf("%s: %v", method, err)
		}
	}
}

// send sends a command and returns the reply.
func (b *browser) send(method string, params map[string]any) (r browserReply) {
	b.t.Helper()
	b.mu.Lock()
	b.calls++
	id, answer := b.calls, make(chan browserReply, 1)
	b.waiting[id] = answer
	b.mu.Unlock()
	message := map[string]any{"id": id, "method": method}
	if params != nil {
		message["params"] = params
	}
	if b.session != "" && !strings.HasPrefix(method, "Browser.") {
		message["sessionId"] = b.session
	}
	text, err := json.Marshal(message)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.to.Write(append(text, 0)); err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	select {
	case r = <-answer:
	case <-time.After(time.Minute):
		b.t.Fatalf("%s: no answer", method)
	}
	return r
}

// eval evaluates an expression in the page and stores its value in result.
func (b *browser) eval(expression string, result any) {
	b.t.Helper()
	var out struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &out)
	if out.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", expression, out.ExceptionDetails)
	}
	if result == nil {
		return
	}
	if err := json.Unmarshal(out.Result.Value, result); err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
}

// await waits until an expression is true in the page.
func (b *browser) await(expression string) {
	b.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		// While another page replaces the page, there is an error.
		r := b.send("Runtime.evaluate", map[string]any{"expression": "Boolean(" + expression + ")", "returnByValue": true})
		var out struct{ Result struct{ Value any } }
		if r.Error == nil && json.Unmarshal(r.Result, &out) == nil && out.Result.Value == true {
			return
		}
		if time.Now().After(deadline) {
			var text string
			b.eval("document.body.innerText", &text)
			b.mu.Lock()
			defer b.mu.Unlock()
			b.t.Fatalf("never true: %s\n%s\nrequests: %s\ntrouble: %s", expression, text, b.requests, b.trouble)
		}
	}
}

// open loads a page and waits until it is complete.
func (b *browser) open(url string) {
	b.t.Helper()
	b.call("Page.navigate", map[string]any{"url": url}, nil)
	b.await("document.readyState === 'complete' && location.href.startsWith('http')")
}

// window sets the window's size and the preferred colour scheme.
func (b *browser) window(width, height int, scheme string) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
	b.eval("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))", nil)
}

// picture takes a screenshot and returns the PNG. If the environment variable
// SCREENSHOTS names a folder, a screenshot of the whole page is written there for
// inspection.
func (b *browser) picture(name string) []byte {
	b.t.Helper()
	b.eval("scrollTo(0, 0)", nil)
	var shot struct{ Data string }
	folder := os.Getenv("SCREENSHOTS")
	b.call("Page.captureScreenshot", map[string]any{"captureBeyondViewport": folder != ""}, &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		b.t.Fatal(err)
	}
	if folder != "" {
		if err := os.WriteFile(filepath.Join(folder, name+".png"), png, 0o644); err != nil {
			b.t.Error(err)
		}
	}
	return png
}

// click clicks in the middle of an element.
func (b *browser) click(selector string) {
	b.t.Helper()
	var at struct{ X, Y float64 }
	b.eval(fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.scrollIntoView({block: 'center'});
		const r = e.getBoundingClientRect(); return {X: r.x + r.width / 2, Y: r.y + r.height / 2} })()`, selector), &at)
	for _, kind := range []string{"mousePressed", "mouseReleased"} {
		b.call("Input.dispatchMouseEvent", map[string]any{"type": kind, "x": at.X, "y": at.Y, "button": "left", "clickCount": 1}, nil)
	}
}

// press presses and releases a key.
func (b *browser) press(key string) {
	b.t.Helper()
	for _, kind := range []string{"keyDown", "keyUp"} {
		b.call("Input.dispatchKeyEvent", map[string]any{"type": kind, "key": key, "code": key}, nil)
	}
}

// complaints returns the messages on the page's console, and the failed requests.
func (b *browser) complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.trouble...)
}

// asked returns the URLs that the page requested.
func (b *browser) asked() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.requests...)
}
