package cgroup

import (
	"os"
	"testing"
	"testing/fstest"
)

// The lowest limit of the process's group and the groups above it counts, in both
// versions of control groups, also where a container sees its own group as the root.
func TestMemoryLimit(t *testing.T) {
	const v2, v1 = "0::/system.slice/xcri-proxy.service\n", "5:cpu:/a\n4:memory:/docker/1\n1:name=systemd:/b\n"
	for name, tt := range map[string]struct {
		groups string
		files  map[string]string
		want   int64
	}{
		"v2, own":         {v2, map[string]string{"sys/fs/cgroup/system.slice/xcri-proxy.service/memory.max": "268435456\n"}, 256 << 20},
		"v2, high":        {v2, map[string]string{"sys/fs/cgroup/system.slice/xcri-proxy.service/memory.max": "max\n", "sys/fs/cgroup/system.slice/xcri-proxy.service/memory.high": "100000000\n"}, 1e8},
		"v2, parent":      {v2, map[string]string{"sys/fs/cgroup/system.slice/xcri-proxy.service/memory.max": "268435456\n", "sys/fs/cgroup/system.slice/memory.max": "134217728"}, 128 << 20},
		"v2, container":   {"0::/\n", map[string]string{"sys/fs/cgroup/memory.max": "134217728\n"}, 128 << 20},
		"v2, none":        {v2, map[string]string{"sys/fs/cgroup/system.slice/xcri-proxy.service/memory.max": "max\n"}, 0},
		"v2, other group": {v2, map[string]string{"sys/fs/cgroup/other/memory.max": "134217728\n"}, 0},
		"v1, own":         {v1, map[string]string{"sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes": "134217728\n"}, 128 << 20},
		"v1, container":   {v1, map[string]string{"sys/fs/cgroup/memory/memory.limit_in_bytes": "134217728\n"}, 128 << 20},
		"v1, none":        {v1, map[string]string{"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 0},
		"v1, with others": {"4:cpu,memory:/x\n", map[string]string{"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "134217728\n"}, 128 << 20},
		"both":            {v1 + "0::/\n", map[string]string{"sys/fs/cgroup/memory/memory.limit_in_bytes": "134217728", "sys/fs/cgroup/unified/memory.max": "67108864"}, 64 << 20},
		"nonsense":        {"x\n::\n0::/a\n", map[string]string{"sys/fs/cgroup/a/memory.max": "much\n"}, 0},
		"no such file":    {v2, nil, 0},
	} {
		root := fstest.MapFS{"proc/self/cgroup": {Data: []byte(tt.groups)}}
		for path, text := range tt.files {
			root[path] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := MemoryLimit(root); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
	if got := MemoryLimit(fstest.MapFS{}); got != 0 {
		t.Errorf("no control groups: %d", got)
	}
	if got := MemoryLimit(os.DirFS("/")); got < 0 {
		t.Errorf("this machine: %d", got)
	}
}
