//go:build linux && (amd64 || arm64)

package sandbox

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// attacks are bodies of async functions. What succeeds and should not is told
// by breach; no is for things that must throw or reject. In f are the facts of
// attackFacts.
var attacks = []struct {
	name, body string
	not        map[Level]string // where it is not tried, and why
}{
	{name: "files of the host", body: `
		for (const path of [f.secret, '/etc/shadow', '/etc/hostname', '/etc/os-release', '/proc/version', '/proc/cpuinfo', '/proc/kallsyms',
			'/sys/kernel/vmcoreinfo', '/root/.profile', '/dev/mem', '/dev/kmsg', '/dev/vda', '/var/log/dpkg.log', '/proc/sys/kernel/hostname']) {
			await no(path, () => fs.readFileSync(path));
		}
		for (const dir of [f.folder, '/home', '/root', '/var', '/sys', '/run', '/boot']) await no(dir, () => fs.readdirSync(dir));
		for (const link of ['/proc/self/root', '/proc/self/cwd', '/proc/1/root']) await no(link, () => fs.readFileSync(link + f.secret));
		await no('..', () => fs.readFileSync('../../../../../../../..' + f.secret));`},
	{name: "environment and memory of others", body: `
		for (const pid of [f.server, 1, process.ppid, process.pid + 1, 2]) {
			if (pid === process.pid) continue;
			for (const name of ['environ', 'mem', 'maps', 'cmdline', 'status', 'fd', 'root']) {
				await no(pid + '/' + name, () => { const p = '/proc/' + pid + '/' + name; fs.statSync(p).isDirectory() ? fs.readdirSync(p) : fs.closeSync(fs.openSync(p)); });
			}
		}
		if (Object.keys(process.env).some((n) => !['HOME', 'OPENSSL_CONF'].includes(n))) breach('environment ' + Object.keys(process.env));`},
	{name: "write outside /tmp", body: `
		for (const dir of ['/', '/etc', '/dev', '/dev/shm', '/proc', '/bin', '/runtime', '/lib', '/var/tmp', '/usr', f.folder, __dirname, path.dirname(process.execPath)]) {
			await no(dir, () => { fs.writeFileSync(dir + '/sandbox-attack', 'x'); fs.unlinkSync(dir + '/sandbox-attack'); });
			await no('folder in ' + dir, () => { fs.mkdirSync(dir + '/sandbox-attack'); fs.rmdirSync(dir + '/sandbox-attack'); });
		}
		for (const file of [__filename, process.execPath, '/etc/passwd', f.secret]) {
			await no('change ' + file, () => fs.appendFileSync(file, ''));
			await no('mode of ' + file, () => fs.chmodSync(file, fs.statSync(file).mode));
		}
		for (const file of [__filename, f.secret]) { // what may break if they succeed
			await no('times of ' + file, () => fs.utimesSync(file, 1, 1));
			await no('replace ' + file, () => fs.renameSync(file, file + '.old'));
			await no('cut ' + file, () => fs.truncateSync(file, 0));
		}`},
	{name: "fill /tmp", body: `
		let bytes = 0, files = 0;
		const block = Buffer.alloc(1 << 20);
		try { for (let i = 0; i < 64; i++) { fs.writeFileSync('/tmp/big' + i, block); bytes += block.length; } } catch { }
		try { for (let i = 0; i < 10000; i++) { fs.writeFileSync('/tmp/small' + i, ''); files++; } } catch { }
		try { fs.ftruncateSync(fs.openSync('/tmp/huge', 'w'), 1e12); breach('a file of 1 TB'); } catch { }
		if (bytes > 16 << 20) breach(bytes + ' bytes');
		if (files > 5000) breach(files + ' files');`},
	{name: "start programs", body: `
		const cp = require('node:child_process');
		for (const file of ['/bin/sh', '/bin/busybox', '/usr/bin/env', process.execPath, __filename]) {
			for (const options of [{}, { shell: true }, { detached: true }, { uid: 0 }]) {
				if (cp.spawnSync(file, [], options).pid) breach('spawned ' + file);
			}
		}
		await no('exec', () => cp.execSync('id'));
		await no('fork', () => new Promise((ok, failed) => cp.fork(__filename).on('error', failed).on('spawn', ok)));`},
	{name: "fork bomb", body: `
		const cp = require('node:child_process');
		for (let i = 0; i < 100; i++) { try { if (cp.spawn(process.execPath, [__filename]).on('error', () => {}).pid) breach('process ' + i); } catch { } }`},
	{name: "thread bomb", not: map[Level]string{Landlock: "threads are bounded by memory alone there, which package worker watches"}, body: `
		const { Worker } = require('node:worker_threads');
		let running = 0, refused = 0;
		const all = [];
		for (let i = 0; i < 100; i++) {
			all.push(new Promise((next) => {
				const w = new Worker('setInterval(() => {}, 1000)', { eval: true, resourceLimits: { maxOldGenerationSizeMb: 8 } });
				w.on('online', () => { running++; next(); });
				w.on('error', () => { refused++; next(); });
			}));
		}
		await Promise.all(all);
		if (running > 64) breach(running + ' threads');
		if (refused === 0) breach('no thread was refused');`},
	{name: "descriptor exhaustion", body: `
		let n = 0;
		const files = [];
		try { for (; n < 5000; n++) files.push(fs.openSync('/dev/null')); } catch (e) { if (e.code !== 'EMFILE') breach(e.code); }
		if (n > 256) breach(n + ' descriptors');
		for (const fd of files) fs.closeSync(fd);`},
	{name: "signals", body: `
		for (const pid of [f.server, -f.server, -1, 2, f.victim, -f.victim]) await no('signal to ' + pid, () => process.kill(pid, pid === f.victim ? 'SIGTERM' : 0));
		for (const pid of [f.server, f.victim]) await no('debug ' + pid, () => process._debugProcess(pid));
		await no('priority', () => os.setPriority(f.server, os.getPriority(f.server)));
		await no('own priority', () => os.setPriority(0, -5));`},
	{name: "network of the host", body: `
		const hosts = ['127.0.0.1', 'localhost', '::1', '0.0.0.0', '::', '::ffff:127.0.0.1', '::ffff:7f00:1', '2130706433', '0x7f000001', '017700000001', '127.1',
			'64:ff9b::7f00:1', ...f.addresses];
		for (const host of hosts) for (const port of f.ports) await no(host + ':' + port, () => connect(port, host));
		for (const host of ['169.254.169.254', '169.254.170.2', 'fd00:ec2::254', '10.0.0.1', '192.168.0.1', '8.8.8.8', '1.1.1.1', '2606:4700:4700::1111']) await no(host, () => connect(80, host));
		for (const url of ['http://2130706433:' + f.ports[0], 'http://0x7f.1:' + f.ports[0], 'http://[::ffff:127.0.0.1]:' + f.ports[0]]) await no(url, () => fetch(url, { signal: AbortSignal.timeout(2000) }));
		await no('unix socket', () => connect(f.socket));
		await no('abstract socket', () => connect('\0' + f.abstract));`},
	{name: "datagrams and names", body: `
		const dgram = require('node:dgram'), dns = require('node:dns').promises;
		for (const host of ['127.0.0.1', '8.8.8.8', '169.254.169.254', '224.0.0.251', '255.255.255.255']) {
			await new Promise((next) => { const s = dgram.createSocket('udp4'); s.on('error', next); s.send('breach', f.udp, host, () => { try { s.close(); } catch { } next(); }); });
		}
		await no('lookup', () => dns.lookup('example.com'));
		await no('resolve', () => dns.resolve4('example.com'));
		const own = new dns.Resolver({ timeout: 500, tries: 1 });
		own.setServers(['8.8.8.8']);
		await no('resolve elsewhere', () => own.resolve4('example.com'));
		// A datagram that came through is seen on the other side.`},
	{name: "native code", body: `
		const library = fs.readFileSync(f.library);
		fs.writeFileSync('/tmp/addon.node', library);
		try { process.dlopen({ exports: {} }, '/tmp/addon.node'); breach('loaded'); } catch (e) { if (/self-register/.test(e.message)) breach('mapped'); throw e; }`},
	{name: "mounts of its own", body: `
		let mounts = '';
		try { mounts = fs.readFileSync('/proc/self/mountinfo', 'utf8'); } catch { }
		for (const line of mounts.trim().split('\n').filter(Boolean)) {
			const [, , , , where, options] = line.split(' ');
			if (!['/tmp', '/proc'].includes(where) && !options.split(',').includes('ro')) breach(line);
			if (!options.split(',').includes('nosuid')) breach(line);
		}
		for (const map of ['uid_map', 'gid_map', 'setgroups', 'oom_score_adj']) await no(map, () => fs.writeFileSync('/proc/self/' + map, '0 0 1'));`},
	{name: "capabilities", not: map[Level]string{Landlock: "/proc/self/status is closed there"}, body: `
		const status = fs.readFileSync('/proc/self/status', 'utf8');
		for (const line of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) if (!new RegExp('^' + line + ':\\s+0+$', 'm').test(status)) breach(line);
		if (!/^NoNewPrivs:\s+1$/m.test(status)) breach('new privileges');
		if (!/^Seccomp:\s+2$/m.test(status)) breach('no filter');
		if (process.getuid() !== 1000 || process.getgid() !== 1000) breach('it is user ' + process.getuid());
		await no('become root', () => process.setuid(0));
		if (f.root && process.getgroups().some((g) => g !== 1000)) breach('groups ' + process.getgroups());`},
}

const attackPrelude = `'use strict';
const fs = require('node:fs'), os = require('node:os'), net = require('node:net'), path = require('node:path');
const f = JSON.parse(process.argv[2]);
const breaches = [];
const breach = (what) => { breaches.push(String(what)); };
const no = async (what, how) => { try { await how(); } catch { return; } breach(what); };
const connect = (...to) => new Promise((ok, failed) => {
	const s = net.connect(...to);
	s.setTimeout(1000, () => { s.destroy(); failed(new Error('timeout')); });
	s.on('connect', () => { s.destroy(); ok(); });
	s.on('error', failed);
});
process.on('uncaughtException', (e) => breach('uncaught ' + e.stack));
(async () => {`

const attackEnd = `
})().catch(() => {}).then(() => { process.stdout.write(JSON.stringify(breaches)); process.exit(0); });
`

// TestAttacks runs every attack at every level of this host. None may
// succeed, and what was attacked must be as before.
func TestAttacks(t *testing.T) {
	eachLevel(t, func(t *testing.T, level Level) {
		facts := attackFacts(t, level)
		for _, node := range nodes(t) {
			for _, a := range attacks {
				t.Run(filepath.Base(filepath.Dir(filepath.Dir(node)))+"/"+a.name, func(t *testing.T) {
					t.Parallel()
					if why := a.not[level]; why != "" {
						t.Skipf("NOT TESTED at %s: %s", level, why)
					}
					out, err := script(t, level, node, attackPrelude+a.body+attackEnd, facts)
					if err != nil || out != "[]" {
						t.Errorf("printed %s, ended with %v; want no breaches", out, err)
					}
				})
			}
		}
	})
}

// attackFacts lays out targets on the host and describes them. When all tests
// are over it looks at them.
func attackFacts(t *testing.T, level Level) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sandbox-attack-*") // its path must be short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o666); err != nil {
		t.Fatal(err)
	}
	victim := exec.Command("sleep", "600")
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := victim.Process.Signal(syscall.Signal(0)); err != nil {
			t.Errorf("another process was killed: %v", err)
		}
		_ = victim.Process.Kill()
		_ = victim.Wait()
		if b, err := os.ReadFile(secret); err != nil || string(b) != "secret" {
			t.Errorf("a file of the host is now %q, %v", b, err)
		}
		os.RemoveAll(dir)
	})

	var ports []int
	listen := func(network, address string) {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Logf("NOT TESTED: %s %s: %v", network, address, err)
			return
		}
		t.Cleanup(func() { l.Close() })
		if a, ok := l.Addr().(*net.TCPAddr); ok {
			ports = append(ports, a.Port)
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				t.Errorf("%s: a connection from %s", l.Addr(), c.RemoteAddr())
				c.Close()
			}
		}()
	}
	listen("tcp4", "127.0.0.1:0")
	listen("tcp", ":0")
	socket, abstract := filepath.Join(dir, "socket"), filepath.Base(dir)
	listen("unix", socket)
	listen("unix", "@"+abstract)
	packets, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { packets.Close() })
	go func() {
		if _, from, err := packets.ReadFrom(make([]byte, 16)); err == nil {
			t.Errorf("a datagram from %s", from)
		}
	}()
	libraries, err := linkedFiles(nodes(t)[0])
	if err != nil {
		t.Fatal(err)
	}
	var addresses []string
	if all, err := net.InterfaceAddrs(); err == nil {
		for _, a := range all {
			if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil {
				addresses = append(addresses, ip.IP.String())
			}
		}
	}
	facts, err := json.Marshal(map[string]any{
		"server": os.Getpid(), "victim": victim.Process.Pid, "level": level, "folder": dir, "secret": secret, "root": os.Getuid() == 0,
		"ports": ports, "udp": packets.LocalAddr().(*net.UDPAddr).Port, "socket": socket, "abstract": abstract, "library": libraries[1], "addresses": addresses,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(facts)
}

// TestAsOrdinaryUser runs this package's tests again as a user without rights.
func TestAsOrdinaryUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("the other tests already run as an ordinary user")
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^(TestAttacks|TestChoose|TestBehaviour|TestEndsWithServer)$", "-test.v", "-test.timeout=5m")
	cmd.Env = []string{"TMPDIR=/tmp", "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "no Node build") {
		t.Skipf("NOT TESTED: an ordinary user cannot reach this checkout")
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "NOT TESTED") || strings.Contains(line, "FAIL") {
			t.Log(strings.TrimSpace(line))
		}
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestBehaviour sees that a worker can do what functions do.
func TestBehaviour(t *testing.T) {
	body := map[Level]string{
		Namespaces: `
			fs.writeFileSync('/tmp/a', 'x'); fs.copyFileSync('/tmp/a', '/tmp/b'); fs.mkdirSync('/tmp/d/e', { recursive: true }); fs.rmSync('/tmp/d', { recursive: true });
			if (fs.readdirSync('/tmp').join() !== 'a,b') breach('files');
			const http = require('node:http');
			const server = http.createServer((_, res) => res.end('hello'));
			await new Promise((ok) => server.listen(0, '127.0.0.1', ok));
			if (await (await fetch('http://localhost:' + server.address().port)).text() !== 'hello') breach('http');
			if (process.execPath !== '/bin/node' || __dirname !== '/runtime') breach('it sees paths of the host: ' + process.execPath + __dirname);`,
		Landlock: ``,
	}
	const common = `
		const { Worker } = require('node:worker_threads'), crypto = require('node:crypto'), zlib = require('node:zlib'), { promisify } = require('node:util');
		if (await new Promise((ok, failed) => new Worker('require("node:worker_threads").parentPort.postMessage(6 * 7)', { eval: true }).on('message', ok).on('error', failed)) !== 42) breach('worker thread');
		if ((await promisify(crypto.pbkdf2)('a', 'b', 10, 32, 'sha256')).length !== 32) breach('crypto');
		if ((await promisify(zlib.gunzip)(await promisify(zlib.gzip)('text'))).toString() !== 'text') breach('zlib');
		if (!(process.memoryUsage().rss > 1e6)) breach('memory');
		if (os.availableParallelism() < 1 || os.totalmem() < 1e6) breach('os');
		new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])));
		if (crypto.randomBytes(8).length !== 8) breach('random');
		await new Promise((ok) => setTimeout(ok, 5));`
	eachLevel(t, func(t *testing.T, level Level) {
		for _, node := range nodes(t) {
			source := strings.Replace(attackPrelude+body[level]+common+attackEnd, "const f = JSON.parse(process.argv[2]);", "", 1)
			source = strings.Replace(source, ".catch(() => {})", ".catch((e) => breach(e.stack))", 1)
			out, err := script(t, level, node, source)
			if err != nil || out != "[]" {
				t.Errorf("%s: printed %s, ended with %v; want no complaints", node, out, err)
			}
		}
	})
}

// TestEndsWithServer starts a worker in a process that is then killed: the
// worker must die with it, though it reads nothing and ignores signals.
func TestEndsWithServer(t *testing.T) {
	eachLevel(t, func(t *testing.T, level Level) {
		t.Parallel()
		server := exec.Command("/proc/self/exe", "-test.run=^TestServerOfWorker$")
		server.Env = []string{"TMPDIR=/tmp", serverLevel + "=" + string(level)}
		stdout, err := server.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		var pid int
		if _, err := fmt.Fscanf(stdout, "worker %d ready\n", &pid); err != nil {
			t.Fatal(err)
		}
		_ = server.Process.Kill()
		_ = server.Wait()
		for deadline := time.Now().Add(10 * time.Second); ; {
			state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			if err != nil || strings.Contains(string(state), ") Z ") {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the worker %d still runs", pid)
			}
		}
	})
}

const serverLevel = "SANDBOX_TEST_LEVEL"

// TestServerOfWorker is the process that TestEndsWithServer kills. It also
// sees that the server's view of its worker is the one of an ordinary child.
func TestServerOfWorker(t *testing.T) {
	level := Level(os.Getenv(serverLevel))
	if level == "" {
		t.Skip("part of TestEndsWithServer")
	}
	folder := t.TempDir()
	_ = os.Chmod(folder, 0o755)
	file := filepath.Join(folder, "script.cjs")
	if err := os.WriteFile(file, []byte(`for (const s of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(s, () => {}); console.log('ready'); while (true);`), 0o644); err != nil {
		t.Fatal(err)
	}
	box, err := New(level, Config{Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(nodes(t)[0], file)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cage, err := box.Wrap(cmd)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := cage.Started(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fscanf(out, "ready\n"); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("worker %d ready\n", cmd.Process.Pid)
	_ = cmd.Wait()
}

// TestServerSees checks what package worker relies on: the memory of the
// process it started, and its death by its group.
func TestServerSees(t *testing.T) {
	eachLevel(t, func(t *testing.T, level Level) {
		t.Parallel()
		folder := t.TempDir()
		file := filepath.Join(folder, "script.cjs")
		if err := os.WriteFile(file, []byte(`globalThis.b = Buffer.alloc(64 << 20, 1); require('node:fs').writeSync(3, 'here'); setInterval(() => {}, 1000);`), 0o644); err != nil {
			t.Fatal(err)
		}
		box, err := New(level, Config{Folder: folder})
		if err != nil {
			t.Fatal(err)
		}
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer read.Close()
		cmd := exec.Command(nodes(t)[0], file)
		cmd.Dir, cmd.ExtraFiles = "/", []*os.File{write}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cage, err := box.Wrap(cmd)
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		write.Close()
		if err := cage.Started(cmd.Process.Pid); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 4)
		if _, err := read.Read(got); err != nil || string(got) != "here" {
			t.Errorf("descriptor 3 brought %q, %v", got, err)
		}
		var size, resident, shared int
		statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Sscan(string(statm), &size, &resident, &shared)
		if used := (resident - shared) * os.Getpagesize(); used < 64<<20 {
			t.Errorf("the server sees %d bytes in use, want more than 64 MiB", used)
		}
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait()
		if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGKILL {
			t.Errorf("it ended with %v", cmd.ProcessState)
		}
	})
}
