package redisserver

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/store/storetest/port"
)

// Watched is a Redis with a replica, and a Sentinel that makes the replica the primary
// when the primary is away.
type Watched struct {
	// URL is the address for SHARED_CACHE. Its first Sentinel does not exist.
	URL              string
	Primary, Replica *Server
	Sentinel         *Server
}

// StartWatched starts a Redis with a replica and a Sentinel.
func StartWatched(t testing.TB) *Watched {
	t.Helper()
	w := &Watched{}
	w.Primary = onLoopback(t, "")
	host, port, _ := net.SplitHostPort(w.Primary.Addr)
	w.Replica = onLoopback(t, "", "--replicaof", host+" "+port, "--repl-diskless-sync-delay", "0")
	until(t, "the replica", func() bool {
		return strings.Contains(w.Primary.Do("INFO", "replication"), "state=online")
	})
	w.Sentinel = onLoopback(t, fmt.Sprintf(`sentinel monitor main %s %s 1
sentinel down-after-milliseconds main 300
sentinel failover-timeout main 3000
`, host, port), "--sentinel")
	until(t, "the Sentinel", func() bool { return strings.Contains(w.Sentinel.Do("SENTINEL", "REPLICAS", "main"), "slave") })
	_, nowhere := OnLoopback(t)
	w.URL = "redis://" + nowhere + "?addr=" + w.Sentinel.Addr + "&master_set=main"
	return w
}

// Cluster is a Redis Cluster of three primaries, the first of which has a replica.
type Cluster struct {
	// URL is the address for SHARED_CACHE.
	URL     string
	Nodes   []*Server // the primaries
	Replica *Server
}

// StartCluster starts a cluster and waits until all of its nodes serve.
func StartCluster(t testing.TB) *Cluster {
	t.Helper()
	c := &Cluster{}
	args := []string{"--cluster-enabled", "yes", "--cluster-node-timeout", "500", "--cluster-require-full-coverage", "no", "--repl-diskless-sync-delay", "0"}
	var all []*Server
	var buses []string
	for range 4 {
		_, bus, _ := net.SplitHostPort(port.Address(t))
		all, buses = append(all, onLoopback(t, "# of a node", append(args, "--cluster-port", bus)...)), append(buses, bus)
	}
	c.Nodes, c.Replica = all[:3], all[3]
	const slots = 16384
	for i, s := range all {
		s.Do("CLUSTER", "SET-CONFIG-EPOCH", fmt.Sprint(i+1))
		if i < 3 {
			s.Do("CLUSTER", "ADDSLOTSRANGE", fmt.Sprint(i*slots/3), fmt.Sprint((i+1)*slots/3-1))
		}
		host, port, _ := net.SplitHostPort(s.Addr)
		all[0].Do("CLUSTER", "MEET", host, port, buses[i])
	}
	first := all[0].Do("CLUSTER", "MYID")
	until(t, "the cluster", func() bool {
		for _, s := range all {
			if info := s.Do("CLUSTER", "INFO"); !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_known_nodes:4") {
				return false
			}
		}
		return true
	})
	c.Replica.Do("CLUSTER", "REPLICATE", first)
	until(t, "the replica", func() bool {
		return strings.Contains(c.Nodes[0].Do("INFO", "replication"), "state=online")
	})
	c.URL = "redis://" + all[1].Addr + "?addr=" + all[2].Addr
	return c
}

// onLoopback runs a Redis that listens on the loopback interface.
func onLoopback(t testing.TB, config string, args ...string) *Server {
	t.Helper()
	extra, addr := OnLoopback(t)
	s := start(t, config, append(extra, args...))
	s.Addr = addr
	return s
}

// patience is the time within which several servers must agree, on a busy machine.
const patience = time.Minute

func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s is not ready", what)
		}
	}
}
