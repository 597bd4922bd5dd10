package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestKubernetesDiscoveryBecomesOurs(t *testing.T) {
	var out strings.Builder
	err := adapt([]byte(`
scrape_configs:
- job_name: pods
  kubernetes_sd_configs: [{role: pod, kubeconfig_file: x, namespaces: {names: [demo, other]}}]
`), &out)
	if err != nil {
		t.Fatal(err)
	}
	for _, wanted := range []string{"http_sd_configs", "http://127.0.0.1:9091/pods?namespace=demo&namespace=other"} {
		if !strings.Contains(out.String(), wanted) {
			t.Errorf("%q is missing in:\n%s", wanted, out.String())
		}
	}
}

func TestWhatCannotBeKeptIsRefused(t *testing.T) {
	for _, entry := range []string{"{role: service}", "{role: pod, selectors: []}"} {
		config := "scrape_configs:\n- kubernetes_sd_configs: [" + entry + "]\n"
		if err := adapt([]byte(config), &strings.Builder{}); err == nil {
			t.Errorf("%s was accepted", entry)
		}
	}
}

func TestOneTargetPerPortOfTheNamedNamespaces(t *testing.T) {
	var found pods
	err := json.Unmarshal([]byte(`{"items": [
		{"metadata": {"name": "a", "namespace": "demo", "labels": {"app.kubernetes.io/name": "shop"}},
		 "spec": {"containers": [{"name": "c", "ports": [{"name": "http", "containerPort": 80}, {"containerPort": 81}]}]},
		 "status": {"podIP": "10.244.0.2", "phase": "Running"}},
		{"metadata": {"name": "b", "namespace": "other"}, "spec": {"containers": [{"name": "c"}]}, "status": {"podIP": "10.244.0.3"}},
		{"metadata": {"name": "not-started", "namespace": "demo"}, "spec": {"containers": [{"name": "c"}]}, "status": {}}
	]}`), &found)
	if err != nil {
		t.Fatal(err)
	}
	got := targets(found, []string{"demo"})
	if len(got) != 2 || got[0].Targets[0] != "10.244.0.2:80" || got[1].Targets[0] != "10.244.0.2:81" {
		t.Fatalf("not the two ports of pod a: %v", got)
	}
	if label := got[0].Labels["__meta_kubernetes_pod_label_app_kubernetes_io_name"]; label != "shop" {
		t.Errorf("the pod's label came out as %q", label)
	}
}
