package main

import (
	"fmt"
	"io"
	"net/url"

	"go.yaml.in/yaml/v3"
)

// adapt rewrites a Prometheus configuration: each entry of kubernetes_sd_configs becomes one of http_sd_configs that
// asks this program. So one file serves the testbed and, with its own Prometheus, a cluster of the user's.
func adapt(in []byte, out io.Writer) error {
	var config map[string]any
	if err := yaml.Unmarshal(in, &config); err != nil {
		return err
	}
	jobs, _ := config["scrape_configs"].([]any)
	for _, job := range jobs {
		job, _ := job.(map[string]any)
		entries, _ := job["kubernetes_sd_configs"].([]any)
		if len(entries) == 0 {
			continue
		}
		delete(job, "kubernetes_sd_configs")
		asked, _ := job["http_sd_configs"].([]any)
		for _, entry := range entries {
			address, err := addressOf(entry)
			if err != nil {
				return fmt.Errorf("scrape job %v: %w", job["job_name"], err)
			}
			asked = append(asked, map[string]any{"url": address, "refresh_interval": "1s"})
		}
		job["http_sd_configs"] = asked
	}
	return yaml.NewEncoder(out).Encode(config)
}

// addressOf tells where the pods of one entry of kubernetes_sd_configs are listed. What cannot be kept is refused.
func addressOf(entry any) (string, error) {
	fields, _ := entry.(map[string]any)
	query := url.Values{}
	for name, value := range fields {
		switch name {
		case "kubeconfig_file":
		case "role":
			if value != "pod" {
				return "", fmt.Errorf("kubernetes_sd_configs: the testbed knows role pod only, not %v", value)
			}
		case "namespaces":
			namespaces, _ := value.(map[string]any)
			names, _ := namespaces["names"].([]any)
			for _, each := range names {
				query.Add("namespace", fmt.Sprint(each))
			}
		default:
			return "", fmt.Errorf("kubernetes_sd_configs: the testbed does not know the field %s", name)
		}
	}
	address := url.URL{Scheme: "http", Host: listen, Path: "/pods", RawQuery: query.Encode()}
	return address.String(), nil
}
