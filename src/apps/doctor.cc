// Turns facts and probes into the lines of `strata doctor`.
#include "apps/doctor.h"

#include <fmt/format.h>

#include <cstdio>
#include <vector>

#include "apps/probes.h"
#include "base/json.h"
#include "device/cpu_device.h"
#include "engine/machine.h"

namespace strata::apps {
namespace {

struct Report {
  engine::MachineFacts facts;
  Result<void> io_uring;
  std::string gpu;
  MachinePeaks peaks;
  Result<double> disk = 0.0;
};

double giga(double value) { return value / 1e9; }

std::string isa_list(const engine::MachineFacts& facts) {
  std::string out;
  for (const kernels::Isa isa : facts.isas) {
    if (!out.empty()) out += ", ";
    out += kernels::isa_name(isa);
  }
  return out;
}

std::string disk_line(const Report& report) {
  if (!report.disk) return "not measured: " + report.disk.error().message();
  if (*report.disk == 0) return "not measured";
  return fmt::format("{:.2f} GB/s (1 MiB direct reads, 4 in flight)", giga(*report.disk));
}

std::string huge_page_line(const std::string& mode) {
  if (mode == "never") {
    return "never: weights fall back to 4 KiB pages, up to half the speed (fix: echo madvise > "
           "/sys/kernel/mm/transparent_hugepage/enabled)";
  }
  return mode + ": used for weights and the KV pool";
}

std::string expectation(const Report& report) {
  const MachinePeaks& peaks = report.peaks;
  // One token of a bf16 model reads every weight once and multiplies it once: two bytes and two
  // operations a parameter.
  const double decode = peaks.read_bytes_per_s / 2 * 0.8;
  const double prefill = peaks.product_ops_per_s / 2 * 0.6;
  return fmt::format(
      "for each billion bf16 parameters about {:.0f} tokens/s for one sequence (memory-bound) and "
      "{:.0f} prompt tokens/s (compute-bound)",
      decode / 1e9, prefill / 1e9);
}

std::vector<std::pair<std::string, std::string>> lines(const Report& report) {
  const engine::MachineFacts& facts = report.facts;
  const bool amx = facts.isas.back() == kernels::Isa::kAmx;
  return {
      {"cpu", facts.cpu},
      {"class", machine_class(facts)},
      {"cores", fmt::format("{} usable, {} NUMA node(s)", facts.cores, facts.numa_nodes)},
      {"instruction sets", isa_list(facts) + " (--isa auto takes the last)"},
      {"AMX tiles", amx ? "granted" : "not available to this process"},
      {"memory", fmt::format("{:.1f} GB, {:.1f} GB available", giga(double(facts.memory_bytes)),
                             giga(double(facts.available_bytes)))},
      {"huge pages", huge_page_line(facts.huge_pages)},
      {"memory reads", fmt::format("{:.1f} GB/s", giga(report.peaks.read_bytes_per_s))},
      {"products", report.peaks.product_unit.empty()
                       ? "plain scalar code only"
                       : fmt::format("{:.0f} GFLOP/s ({})", giga(report.peaks.product_ops_per_s),
                                     report.peaks.product_unit)},
      {"disk", disk_line(report)},
      {"io_uring", report.io_uring ? "available" : report.io_uring.error().message()},
      {"gpu", report.gpu.empty() ? "none found" : report.gpu + " (not used yet: CPU only)"},
      {"expect", expectation(report)},
  };
}

Json to_json(const Report& report) {
  const engine::MachineFacts& facts = report.facts;
  Json isas = Json::array();
  for (const kernels::Isa isa : facts.isas) isas.push_back(std::string(kernels::isa_name(isa)));
  return Json{{"cpu", facts.cpu},
              {"class", machine_class(facts)},
              {"cores", facts.cores},
              {"numa_nodes", facts.numa_nodes},
              {"isas", isas},
              {"memory_bytes", facts.memory_bytes},
              {"available_bytes", facts.available_bytes},
              {"huge_pages", facts.huge_pages},
              {"io_uring", report.io_uring.has_value()},
              {"gpu", report.gpu},
              {"read_bytes_per_s", report.peaks.read_bytes_per_s},
              {"product_unit", report.peaks.product_unit},
              {"product_ops_per_s", report.peaks.product_ops_per_s},
              {"disk_bytes_per_s", report.disk ? *report.disk : 0.0}};
}

}  // namespace

Result<void> run_doctor(Env& env, const DoctorArgs& args) {
  Report report;
  report.facts = engine::look_at_machine(env);  // before threads: it asks for AMX
  report.io_uring = probe_io_uring();
  report.gpu = gpu_driver(env);
  const auto pool = TRY(ComputePool::create(args.threads > 0 ? args.threads : report.facts.cores));
  device::CpuDevice device;
  constexpr int64_t kProbeBytes = int64_t{1}
                                  << 30;  // beyond any cache, small beside any machine's memory
  std::fputs("measuring memory and arithmetic ...\n", stderr);
  report.peaks =
      TRY(PeakProbe::create(device, *pool, kProbeBytes, report.facts.isas.back())).measure(3);
  if (!args.disk_folder.empty()) {
    std::fputs("measuring the disk ...\n", stderr);
    report.disk = probe_disk(args.disk_folder);
  }
  if (args.json) {
    fmt::print("{}\n", to_json(report).dump(2));
  } else {
    for (const auto& [name, text] : lines(report)) fmt::print("{:<17} {}\n", name, text);
  }
  return {};
}

}  // namespace strata::apps
