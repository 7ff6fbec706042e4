package sandbox

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
)

//go:embed probe.cjs
var probeScript []byte

const (
	probeTimeout = 20 * time.Second
	probeName    = "probe.cjs"
)

// Probe starts a worker in a sandbox of the level and lets it try to break
// out. It returns an error when that worker does not start, or when the level
// does not hold.
func Probe(ctx context.Context, level Level, node string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "convoke-probe-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bait, err := layBait(ctx, filepath.Join(dir, "bait"))
	if err != nil {
		return err
	}
	defer bait.close()

	folder := filepath.Join(dir, "folder")
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, probeName), probeScript, 0o644); err != nil {
		return err
	}
	box, err := New(level, Config{Folder: folder})
	if err != nil {
		return err
	}
	facts, err := json.Marshal(map[string]any{"server": os.Getpid(), "port": bait.port, "folder": bait.folder})
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, node, filepath.Join(folder, probeName), string(facts))
	cmd.Env = []string{"HOME=/tmp"}
	cmd.Dir = "/"
	out, err := run(box, cmd)
	if err != nil {
		return err
	}
	var breaches []string
	if err := json.Unmarshal(out, &breaches); err != nil {
		return fmt.Errorf("the worker that should try it out said %q", out)
	}
	if bait.reached.Load() {
		breaches = append(breaches, "reach the server through the network")
	}
	if len(breaches) > 0 {
		return fmt.Errorf("a function could %s", strings.Join(breaches, ", "))
	}
	return nil
}

// bait is what a worker must not get at.
type bait struct {
	folder  string // with a file named secret, which every user may read
	port    int    // of listeners on 127.0.0.1
	reached atomic.Bool
	stream  net.Listener
	packets net.PacketConn
}

func layBait(ctx context.Context, folder string) (*bait, error) {
	if err := os.Mkdir(folder, 0o777); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(folder, "secret"), []byte("secret"), 0o644); err != nil {
		return nil, err
	}
	b := &bait{folder: folder}
	var err error
	var lc net.ListenConfig
	if b.stream, err = lc.Listen(ctx, "tcp4", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	b.port = b.stream.Addr().(*net.TCPAddr).Port
	if b.packets, err = lc.ListenPacket(ctx, "udp4", b.stream.Addr().String()); err != nil {
		b.stream.Close()
		return nil, err
	}
	go func() {
		if conn, err := b.stream.Accept(); err == nil {
			b.reached.Store(true)
			conn.Close()
		}
	}()
	go func() {
		if _, _, err := b.packets.ReadFrom(make([]byte, 16)); err == nil {
			b.reached.Store(true)
		}
	}()
	return b, nil
}

func (b *bait) close() {
	b.stream.Close()
	b.packets.Close()
}

// run starts cmd in a sandbox and returns what it printed. An error says what
// it, or the stage before it, had to complain.
func run(box Sandbox, cmd *exec.Cmd) ([]byte, error) {
	// The process asks to die with the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	// A worker has its own descriptors 3 and 4, which the stage leaves open.
	// Whoever started the server may have left it others by these numbers.
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	cmd.ExtraFiles = []*os.File{null, null}
	cage, err := box.Wrap(cmd)
	if err != nil {
		return nil, err
	}
	defer cage.Release()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("a process in it does not start: %w", err)
	}
	started := cage.Started(cmd.Process.Pid)
	if started != nil {
		_ = cmd.Process.Kill()
	}
	err = cmd.Wait()
	if said := strings.TrimSpace(complaint.String()); err != nil && said != "" {
		err = errors.New(said)
	}
	return out.Bytes(), cmp.Or(started, err)
}
