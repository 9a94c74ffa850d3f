// Programs that no official Kubernetes release has. With the tag "addons" the binary holds only these: for a machine
// that has the rest from a release.
package main

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"sigs.k8s.io/kwok/pkg/config"
	kwok "sigs.k8s.io/kwok/pkg/kwok/cmd"
	"sigs.k8s.io/kwok/pkg/log"
	"sigs.k8s.io/kwok/pkg/utils/signals"
	metrics "sigs.k8s.io/metrics-server/cmd/metrics-server/app"
)

func init() {
	commands["metrics-server"] = func() *cobra.Command {
		return metrics.NewMetricsServerCommand(genericapiserver.SetupSignalHandler())
	}
	runners["kwok"] = runKwok
}

// runKwok is kwok's own main: its configuration travels in the context and is read before the command is made.
func runKwok() {
	flags := pflag.NewFlagSet("global", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.Usage = func() {}
	ctx, logger := log.InitFlags(signals.SetupSignalContext(), flags)
	ctx, err := config.InitFlags(ctx, flags)
	if err != nil {
		logger.Error("the configuration cannot be read", "err", err)
		os.Exit(1)
	}
	command := kwok.NewCommand(ctx)
	command.Version = "" // Kubernetes' libraries have a flag of that name already
	command.PersistentFlags().AddFlagSet(flags)
	if err := command.ExecuteContext(ctx); err != nil {
		logger.Error("ends", "err", err)
		os.Exit(1)
	}
}
