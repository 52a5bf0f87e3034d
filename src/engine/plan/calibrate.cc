// A probe is looked for under a key that names all that its numbers depend on.
#include "engine/plan/calibrate.h"

#include <fmt/core.h>

#include <bit>
#include <functional>

#include "base/log.h"
#include "checkpoint/model_folder.h"
#include "device/cpu_device.h"
#include "memory/account.h"
#include "placement/compute_probe.h"
#include "placement/disk_probe.h"
#include "placement/probe_cache.h"

namespace strata::engine {
namespace {

using placement::CostTable;
using placement::Probe;

// Beyond this no cache behind a disk holds a file.
constexpr uint64_t kLargeFile = uint64_t{8} << 30;

struct Setup {
  Env& env;
  const OpenedModel& opened;
  const ResolvedConfig& config;
  const MachineFacts& machine;
};

std::string machine_name(const Setup& setup) {
  auto host = setup.env.read_system_file("/proc/sys/kernel/hostname").value_or("");
  while (!host.empty() && host.back() == '\n') host.pop_back();
  return fmt::format("{} of {} cores, {}", setup.machine.cpu, setup.machine.cores, host);
}

Result<std::vector<std::string>> weight_paths(const Setup& setup) {
  const model::WeightFiles files = setup.opened.files();
  if (files.pack != nullptr) return std::vector{files.pack->path()};
  std::vector<std::string> paths;
  for (size_t file = 0; file < files.checkpoint->file_count(); file++) {
    paths.push_back(TRY(checkpoint::path_in_folder(setup.env, setup.opened.source().folder,
                                                   files.checkpoint->file_name(file))));
  }
  return paths;
}

std::string_view io_name(IoKind io) {
  constexpr std::string_view kNames[] = {"auto", "uring", "pread"};
  return kNames[static_cast<size_t>(io)];
}

// A small file may come out of a cache behind the disk, where a large one does not: files are told
// apart by the power of two that they reach.
Result<std::string> disk_key(const Setup& setup, const std::vector<std::string>& paths) {
  uint64_t bytes = 0;
  for (const std::string& path : paths) bytes += TRY(setup.env.open_readable(path))->size();
  return fmt::format("disk {} of {}, io {}, files of 2^{} bytes",
                     TRY(setup.env.disk_of(paths.front())), machine_name(setup),
                     io_name(setup.config.io), std::bit_width(std::min(bytes, kLargeFile)));
}

Result<Probe> measure_disk(const Setup& setup, const std::vector<std::string>& paths) {
  device::CpuDevice device;
  const placement::DiskSpeed speed =
      TRY(placement::probe_disk(setup.env, device, {.paths = paths, .io = setup.config.io}));
  return Probe{.unix_time_s = setup.env.unix_time_s(),
               .what = fmt::format("{} read in {:.1f} s, {} reads of 4 MiB under way ({}), of {}",
                                   memory::format_bytes(speed.read_bytes), speed.seconds,
                                   placement::kProbeDepth, speed.how, paths.front()),
               .values = {{"disk_bytes_per_s", speed.bytes_per_s}}};
}

std::string compute_key(const Setup& setup) {
  const model::ModelSpec& spec = setup.opened.spec();
  const model::WeightPlan& plan = setup.opened.plan_for(setup.config.placement);
  const model::LayerSpec& layer = spec.layers.front();
  const model::WeightPlan::Item& item = plan.items.back();
  return fmt::format(
      "compute {}, {} threads, {}, {}{}{}, {} of {} layers: hidden {}, heads {}/{} of {}, ffn {}",
      machine_name(setup), setup.config.threads, kernels::isa_name(setup.config.isa),
      tensor::product_kind_name(plan.kind), model::is_coded(plan) ? " coded" : "",
      item.entry == nullptr ? "" : fmt::format(" from {}", tensor::dtype_name(item.entry->dtype)),
      placement::probed_layers(plan), spec.layers.size(), spec.hidden, layer.attention.q_heads,
      layer.attention.kv_heads, layer.attention.head_dim, layer.mlp.intermediate);
}

std::string price_name(int64_t rows) { return fmt::format("s_per_byte_at_{}_rows", rows); }

Result<Probe> measure_compute(const Setup& setup) {
  device::CpuDevice device;
  const auto pool = TRY(ComputePool::create(setup.config.threads));
  const auto table = TRY(kernels::make_cpu_kernel_table(setup.config.isa));
  const model::WeightPlan& plan = setup.opened.plan_for(setup.config.placement);
  const CostTable costs =
      TRY(placement::probe_compute({setup.env, device, *pool, table, setup.opened.spec(), plan}));
  Probe probe{.unix_time_s = setup.env.unix_time_s(),
              .what = fmt::format("{} of {} layers with made-up weights, {} threads, {}",
                                  placement::probed_layers(plan), setup.opened.spec().layers.size(),
                                  setup.config.threads, kernels::isa_name(setup.config.isa)),
              .values = {{"ram_bytes_per_s", costs.ram_bytes_per_s}}};
  if (costs.relay_bytes_per_s > 0) {
    probe.values.emplace_back("relay_bytes_per_s", costs.relay_bytes_per_s);
  }
  for (const placement::ComputePrice& price : costs.compute) {
    probe.values.emplace_back(price_name(price.rows), price.s_per_byte);
  }
  return probe;
}

void take_compute(const Probe& probe, CostTable& costs) {
  costs.ram_bytes_per_s = probe.value("ram_bytes_per_s");
  costs.relay_bytes_per_s = probe.value("relay_bytes_per_s");
  for (const int64_t rows : placement::kProbeRows) {
    const double price = probe.value(price_name(rows));
    if (price > 0) costs.compute.push_back({rows, price});
  }
}

// Looks up, or measures and remembers; a probe without numbers says why there are none.
class Prober {
 public:
  Prober(Env& env, Probing probing, Calibration& made)
      : cache_(env, placement::ProbeCache::default_path(env)), probing_(probing), made_(made) {}

  Probe get(const std::string& name, const Result<std::string>& key,
            const std::function<Result<Probe>()>& measure) {
    cached_ = false;
    Result<Probe> probe = key ? find_or_measure(name, *key, measure) : std::unexpected(key.error());
    if (!probe) probe = Probe{.what = "not measured: " + probe.error().message()};
    made_.sources.push_back({name, probe->what, probe->unix_time_s, cached_});
    return *probe;
  }

 private:
  Result<Probe> find_or_measure(const std::string& name, const std::string& key,
                                const std::function<Result<Probe>()>& measure) {
    const auto found = cache_.find(key);
    cached_ = found.has_value() && probing_ != Probing::kAgain;
    if (cached_) return *found;
    if (probing_ == Probing::kCached) {
      return fail(Code::kNotFound, "no probe of it is in the cache", {}, {},
                  "`strata plan` measures");
    }
    log_info("measuring for the plan: {} (a few seconds, kept for later runs)", name);
    Probe probe = TRY(measure());
    const auto saved = cache_.save(key, probe);
    if (!saved) log_info("probes are not kept: {}", saved.error().message());
    return probe;
  }

  placement::ProbeCache cache_;
  Probing probing_;
  Calibration& made_;
  bool cached_ = false;
};

}  // namespace

Calibration calibrate(Env& env, const OpenedModel& opened, const ResolvedConfig& config,
                      const MachineFacts& machine, Probing probing) {
  const Setup setup{env, opened, config, machine};
  Calibration made;
  Prober prober(env, probing, made);
  if (config.placement.streams()) {
    const auto paths = weight_paths(setup);
    const Result<std::string> key =
        paths ? disk_key(setup, *paths) : std::unexpected(paths.error());
    const Probe disk = prober.get("disk", key, [&] { return measure_disk(setup, *paths); });
    made.costs.disk_bytes_per_s = disk.value("disk_bytes_per_s");
  }
  const Probe compute =
      prober.get("compute", compute_key(setup), [&] { return measure_compute(setup); });
  take_compute(compute, made.costs);
  return made;
}

}  // namespace strata::engine
