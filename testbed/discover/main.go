// Command discover tells Prometheus which pods there are, in the format of http_sd_configs and with the label names of
// kubernetes_sd_configs (role: pod). Debian's Prometheus is built without the latter.
//
//	discover serve PKI_FOLDER                     serves http://127.0.0.1:9091/pods[?namespace=NAME…]
//	discover adapt <CONFIG >CONFIG_THAT_ASKS_US   rewrites the kubernetes_sd_configs of a configuration
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// pods is the part of a PodList that becomes labels.
type pods struct {
	Items []struct {
		Metadata struct {
			Name, Namespace, UID string
			Labels, Annotations  map[string]string
			OwnerReferences      []struct {
				Kind, Name string
				Controller bool
			}
		}
		Spec struct {
			NodeName   string
			Containers []struct {
				Name  string
				Ports []struct {
					Name, Protocol string
					ContainerPort  int
				}
			}
		}
		Status struct {
			Phase, PodIP string
			Conditions   []struct{ Type, Status string }
		}
	}
}

type target struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

const listen = "127.0.0.1:9091"

func main() {
	log.SetFlags(0)
	log.SetPrefix("discover: ")
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "serve":
		err = serve(os.Args[2])
	case len(os.Args) == 2 && os.Args[1] == "adapt":
		var config []byte
		if config, err = io.ReadAll(os.Stdin); err == nil {
			err = adapt(config, os.Stdout)
		}
	default:
		err = errors.New("usage: discover serve PKI_FOLDER | discover adapt <CONFIG")
	}
	if err != nil {
		log.Fatal(err)
	}
}

func serve(pki string) error {
	client, err := apiClient(pki)
	if err != nil {
		return err
	}
	http.HandleFunc("/pods", func(w http.ResponseWriter, r *http.Request) {
		// On an error Prometheus keeps the targets that it has.
		found, err := list(client)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(targets(found, r.URL.Query()["namespace"])); err != nil {
			log.Print(err)
		}
	})
	return http.ListenAndServe(listen, nil)
}

func apiClient(pki string) (*http.Client, error) {
	certificate, err := tls.LoadX509KeyPair(filepath.Join(pki, "admin.crt"), filepath.Join(pki, "admin.key"))
	if err != nil {
		return nil, err
	}
	authority, err := os.ReadFile(filepath.Join(pki, "ca.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{certificate}}}
	return &http.Client{Transport: transport, Timeout: 5 * time.Second}, nil
}

// list reads from the API server's cache (resourceVersion=0): asking each second costs etcd nothing.
func list(client *http.Client) (pods, error) {
	var found pods
	response, err := client.Get("https://127.0.0.1:6443/api/v1/pods?resourceVersion=0")
	if err != nil {
		return found, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return found, fmt.Errorf("listing pods: %s", response.Status)
	}
	return found, json.NewDecoder(response.Body).Decode(&found)
}

var notInNames = regexp.MustCompile(`[^a-zA-Z0-9_]`)

// targets makes one target per declared container port, or one without a port for a container that declares none, of
// the pods in the namespaces (all, if none is named).
func targets(found pods, namespaces []string) []target {
	all := []target{}
	for _, pod := range found.Items {
		if pod.Status.PodIP == "" || len(namespaces) > 0 && !slices.Contains(namespaces, pod.Metadata.Namespace) {
			continue
		}
		labels := map[string]string{
			"__meta_kubernetes_namespace":     pod.Metadata.Namespace,
			"__meta_kubernetes_pod_name":      pod.Metadata.Name,
			"__meta_kubernetes_pod_uid":       pod.Metadata.UID,
			"__meta_kubernetes_pod_ip":        pod.Status.PodIP,
			"__meta_kubernetes_pod_phase":     pod.Status.Phase,
			"__meta_kubernetes_pod_node_name": pod.Spec.NodeName,
			"__meta_kubernetes_pod_ready":     "unknown",
		}
		for _, condition := range pod.Status.Conditions {
			if condition.Type == "Ready" {
				labels["__meta_kubernetes_pod_ready"] = map[string]string{"True": "true", "False": "false"}[condition.Status]
			}
		}
		for _, owner := range pod.Metadata.OwnerReferences {
			if owner.Controller {
				labels["__meta_kubernetes_pod_controller_kind"] = owner.Kind
				labels["__meta_kubernetes_pod_controller_name"] = owner.Name
			}
		}
		for name, value := range pod.Metadata.Labels {
			labels["__meta_kubernetes_pod_label_"+notInNames.ReplaceAllString(name, "_")] = value
		}
		for name, value := range pod.Metadata.Annotations {
			labels["__meta_kubernetes_pod_annotation_"+notInNames.ReplaceAllString(name, "_")] = value
		}
		for _, container := range pod.Spec.Containers {
			if len(container.Ports) == 0 {
				all = append(all, with(labels, pod.Status.PodIP, "__meta_kubernetes_pod_container_name", container.Name))
			}
			for _, port := range container.Ports {
				number := strconv.Itoa(port.ContainerPort)
				all = append(all, with(labels, net.JoinHostPort(pod.Status.PodIP, number),
					"__meta_kubernetes_pod_container_name", container.Name,
					"__meta_kubernetes_pod_container_port_name", port.Name,
					"__meta_kubernetes_pod_container_port_number", number,
					"__meta_kubernetes_pod_container_port_protocol", port.Protocol))
			}
		}
	}
	return all
}

// with copies the labels of the pod and adds pairs of name and value.
func with(labels map[string]string, address string, pairs ...string) target {
	own := make(map[string]string, len(labels)+len(pairs)/2)
	for name, value := range labels {
		own[name] = value
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		own[pairs[i]] = pairs[i+1]
	}
	return target{Targets: []string{address}, Labels: own}
}
