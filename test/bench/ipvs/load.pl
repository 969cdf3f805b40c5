# The load of the path benchmark. Perl, because it is on every Debian machine and hands system calls through with next to
# nothing around them: what is measured shall be the kernel's way of a packet, not the processor time of a runtime.
#
#   perl load.pl serve CONNECTIONS_PORT STREAM_PORT        until it is killed; says `ready`
#   perl load.pl connect ADDRESS PORT SECONDS CLIENTS      says how many connections: opened, answered, closed
#   perl load.pl stream  ADDRESS PORT SECONDS CLIENTS      says how many bytes came
use strict;
use warnings;
use Socket;
use Time::HiRes qw(time);

use constant CHUNK => 1 << 18;
use constant SILENCE_SECONDS => 20;    # a connection that stalls this long has failed

my ($what, @args) = @ARGV;
({ serve => \&serve, connect => \&connections, stream => \&stream }->{$what} // die "load.pl: no such mode\n")->(@args);

sub listener {
    my ($port) = @_;
    socket(my $socket, AF_INET, SOCK_STREAM, 0) or die "socket: $!\n";
    setsockopt($socket, SOL_SOCKET, SO_REUSEADDR, 1);
    bind($socket, sockaddr_in($port, INADDR_ANY)) or die "bind to port $port: $!\n";
    listen($socket, 4096) or die "listen: $!\n";
    return $socket;
}

# Connections that are closed at once are served one after the other, streams each by a child, which ends with its client.
sub serve {
    my ($connections_port, $stream_port) = @_;
    $SIG{PIPE} = 'IGNORE';
    $SIG{CHLD} = 'IGNORE';
    my ($short, $long) = (listener($connections_port), listener($stream_port));
    my $chunk = 'x' x CHUNK;
    my $both = '';
    vec($both, fileno($_), 1) = 1 for $short, $long;
    $| = 1;
    print "ready\n";
    while (1) {
        select(my $ready = $both, undef, undef, undef) > 0 or next;
        if (vec($ready, fileno($short), 1)) {
            accept(my $client, $short) or next;
            syswrite($client, 'x');
        } else {
            accept(my $client, $long) or next;
            child(sub { 1 while syswrite($client, $chunk) });
        }
    }
}

sub child {
    my ($work) = @_;
    my $pid = fork() // die "fork: $!\n";
    return $pid if $pid;
    $work->();
    exit 0;
}

# Lets so many clients work side by side until the time is up, and adds up what each of them counted.
sub crowd {
    my ($seconds, $clients, $work) = @_;
    pipe(my $reader, my $writer) or die "pipe: $!\n";
    my @children = map {
        child(sub {
            alarm($seconds + SILENCE_SECONDS);
            syswrite($writer, $work->(time() + $seconds) . "\n");
        })
    } 1 .. $clients;
    close($writer);
    my ($sum, $failed) = (0, 0);
    while (my $line = <$reader>) { $sum += $line }
    for my $pid (@children) { waitpid($pid, 0); $failed ||= $? }
    die "a client failed\n" if $failed;
    print "$sum\n";
}

sub opened {
    my ($address, $port) = @_;
    socket(my $socket, AF_INET, SOCK_STREAM, 0) or die "socket: $!\n";
    connect($socket, sockaddr_in($port, inet_aton($address))) or die "connect to $address:$port: $!\n";
    return $socket;
}

sub connections {
    my ($address, $port, $seconds, $clients) = @_;
    crowd($seconds, $clients, sub {
        my ($deadline) = @_;
        my $count = 0;
        while (time() < $deadline) {
            my $socket = opened($address, $port);
            my $got = 0;
            while (sysread($socket, my $data, 64)) { $got += length $data }
            $got == 1 or die "an answer of $got bytes\n";
            close($socket);
            $count++;
        }
        return $count;
    });
}

sub stream {
    my ($address, $port, $seconds, $clients) = @_;
    crowd($seconds, $clients, sub {
        my ($deadline) = @_;
        my $socket = opened($address, $port);
        my $bytes = 0;
        while (time() < $deadline) {
            my $length = sysread($socket, my $data, CHUNK) or die "the stream ended\n";
            $bytes += $length;
        }
        return $bytes;
    });
}
