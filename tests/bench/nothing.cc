// An ext_proc server that does nothing but answer with one constant: what asking a server in C++ costs.
//
// It is written as such servers are, with gRPC's callback API and the generated messages, so unlike those of
// nothing.py it decodes what Envoy sends and encodes each answer. contenders.py starts it as
//
//   nothing HOST:PORT ANSWER
//
// where ANSWER is the ProcessingResponse of nothing.py in protobuf's text format, so that both say the same.

#include <google/protobuf/text_format.h>
#include <grpcpp/grpcpp.h>

#include <iostream>
#include <memory>
#include <utility>

#include "envoy/service/ext_proc/v3/external_processor.grpc.pb.h"

namespace {

using envoy::service::ext_proc::v3::ExternalProcessor;
using envoy::service::ext_proc::v3::ProcessingRequest;
using envoy::service::ext_proc::v3::ProcessingResponse;
using Reactor = grpc::ServerBidiReactor<ProcessingRequest, ProcessingResponse>;

// One stream: reads a message, writes the answer, until the stream ends. It owns itself, as reactors do.
class Stream final : public Reactor {
 public:
  explicit Stream(const ProcessingResponse* answer) : answer_(answer) { StartRead(&message_); }

  void OnReadDone(bool ok) override { ok ? StartWrite(answer_) : Finish(grpc::Status::OK); }
  void OnWriteDone(bool ok) override { ok ? StartRead(&message_) : Finish(grpc::Status::OK); }
  void OnDone() override { delete this; }

 private:
  const ProcessingResponse* const answer_;
  ProcessingRequest message_;
};

class Nothing final : public ExternalProcessor::CallbackService {
 public:
  explicit Nothing(ProcessingResponse answer) : answer_(std::move(answer)) {}

  Reactor* Process(grpc::CallbackServerContext*) override { return new Stream(&answer_); }

 private:
  const ProcessingResponse answer_;
};

}  // namespace

int main(int argc, char** argv) {
  ProcessingResponse answer;
  if (argc != 3 || !google::protobuf::TextFormat::ParseFromString(argv[2], &answer)) {
    std::cerr << "usage: nothing HOST:PORT ANSWER\n";
    return 2;
  }
  Nothing nothing(std::move(answer));
  grpc::ServerBuilder builder;
  builder.AddListeningPort(argv[1], grpc::InsecureServerCredentials());
  builder.RegisterService(&nothing);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    std::cerr << "cannot listen on " << argv[1] << "\n";
    return 1;
  }
  server->Wait();
}
