package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"convoke"
)

func TestHosts(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		env    map[string]string
		v1, v2 map[string]string
		own    string
	}{
		"nothing said": {
			v1:  map[string]string{"faasGW": "gw.localhost", "faasUI": "ui.localhost", "sentinel": "sentinel.localhost", "agentVep": "login.localhost"},
			v2:  map[string]string{"faasGW": "fninvocations.localhost", "faasUI": "functions.localhost", "sentinel": "sentinel.localhost", "agentVep": "login.localhost"},
			own: "fninvocations.localhost functions.localhost gw.localhost login.localhost sentinel.localhost ui.localhost",
		},
		"one host each, and services elsewhere": {
			env: map[string]string{"CONVOKE_DOMAIN": "example.com",
				"CONVOKE_HOSTS_V1": "faasGW=a.example.net, faasUI=a.example.net,sentinel=a.example.net,agentVep=a.example.net",
				"CONVOKE_HOSTS_V2": "msgHist=va.msghist.example.org,mavenContext=context.example.com,sentinel=Login.example.com"},
			v1: map[string]string{"faasGW": "a.example.net", "faasUI": "a.example.net", "sentinel": "a.example.net", "agentVep": "a.example.net"},
			v2: map[string]string{"faasGW": "fninvocations.example.com", "faasUI": "functions.example.com", "sentinel": "login.example.com", "agentVep": "login.example.com",
				"msgHist": "va.msghist.example.org", "mavenContext": "context.example.com"},
			own: "a.example.net context.example.com fninvocations.example.com functions.example.com login.example.com",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := Load(LoadOptions{Env: tt.env})
			if err != nil {
				t.Fatal(err)
			}
			v1, v2 := c.Hosts()
			if diff := cmp.Diff([]map[string]string{tt.v1, tt.v2}, []map[string]string{v1, v2}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := strings.Join(c.OwnHosts(), " "); got != tt.own {
				t.Errorf("own hosts: got %s, want %s", got, tt.own)
			}
		})
	}
}

func TestBadEdgeSettings(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		flags map[string]string
		want  string
	}{
		"tls word":          {map[string]string{"tls": "on"}, `--tls: tls must be off, dev, file or acme, not "on"`},
		"no files":          {map[string]string{"tls": "file", "tlsCert": "x"}, "tlsCert and tlsKey must name the files"},
		"acme at home":      {map[string]string{"tls": "acme"}, `must be one that the authority can reach, not "localhost"`},
		"acme directory":    {map[string]string{"acmeDirectory": "http://x"}, "--acme-directory: acmeDirectory must be an https URL"},
		"https address":     {map[string]string{"httpsListen": "443"}, "--https-listen: httpsListen must be an address"},
		"http address":      {map[string]string{"httpListen": "no"}, "must be an address such as 0.0.0.0:80 or off"},
		"proxies":           {map[string]string{"trustedProxies": "10.0.0.0/8, nginx"}, `not "nginx"`},
		"mapped network":    {map[string]string{"trustedProxies": "::ffff:10.0.0.0/104"}, "must be addresses or networks"},
		"domain with port":  {map[string]string{"domain": "example.com:1"}, `must be a domain such as example.com, not "example.com:1"`},
		"domain, wildcard":  {map[string]string{"domain": "*.example.com"}, "must be a domain"},
		"domain, large":     {map[string]string{"domain": "Example.com"}, "must be a domain"},
		"no pair":           {map[string]string{"hostsV2": "fninvocations.example.com"}, "--hosts-v2: hostsV2 must be a list such as"},
		"host with port":    {map[string]string{"hostsV2": "faasGW=fninvocations.example.com:8443"}, "a bare host name, without scheme, port or path"},
		"host with scheme":  {map[string]string{"hostsV1": "faasGW=https://x"}, "a bare host name"},
		"twice":             {map[string]string{"hostsV1": "faasGW=a.b,faasGW=a.b"}, "names faasGW twice"},
		"V2 taken for V1":   {map[string]string{"hostsV2": "faasGW=gw.example.com"}, "clients take a name without fninvocations in it for V1"},
		"V2 UI":             {map[string]string{"hostsV2": "faasUI=ui.example.com"}, "clients take a name without functions in it for V1"},
		"V1 taken for V2":   {map[string]string{"domain": "functions.example.com"}, "gives gw.functions.example.com for faasGW: clients take a name with fninvocations or functions in it for V2"},
		"body time":         {map[string]string{"bodyTimeout": "0s"}, "--body-timeout: bodyTimeout must be from 1ms"},
		"two wrong lists":   {map[string]string{"hostsV1": "x", "hostsV2": "y"}, "2 settings are wrong"},
		"strange service":   {map[string]string{"hostsV2": "faas/GW=fninvocations.example.com"}, "must be a list"},
		"not even a domain": {map[string]string{"domain": "exa mple"}, "must be a domain"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(LoadOptions{Flags: tt.flags})
			if convoke.ErrorCode(err) != convoke.CodeValidation || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want it to contain %q", err, tt.want)
			}
		})
	}
}

func TestProxiesAndPlainListen(t *testing.T) {
	t.Parallel()
	c, err := Load(LoadOptions{Flags: map[string]string{"trustedProxies": "10.1.2.3/8, ::1,192.0.2.7", "tls": "dev", "httpListen": "off"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(c.Proxies()); got != "[10.0.0.0/8 ::1/128 192.0.2.7/32]" {
		t.Errorf("proxies: %s", got)
	}
	if got := c.PlainListen(); got != "" {
		t.Errorf("httpListen off listens on %s", got)
	}
	for tls, want := range map[string]string{"off": "", "dev": "0.0.0.0:80"} {
		c, err := Load(LoadOptions{Flags: map[string]string{"tls": tls}})
		if err != nil || c.PlainListen() != want {
			t.Errorf("tls %s: listens on %q, %v, want %q", tls, c.PlainListen(), err, want)
		}
	}
}

func FuzzParseHosts(f *testing.F) {
	f.Add("faasGW=fninvocations.example.com, sentinel=login.example.com")
	f.Add("a=b:1,=,c")
	f.Fuzz(func(t *testing.T, text string) {
		hosts, err := parseHosts(text)
		for service, host := range hosts {
			if err != nil || !isServiceName(service) || !isHostName(host) || strings.ContainsAny(host, ":/@ *") {
				t.Errorf("%q gave %s=%s, %v", text, service, host, err)
			}
		}
	})
}
