"""Trains the video VAE (AutoencoderKLWan, 16 latent channels).

Training runs the whole clip at once (resample_full replaces the chunked resampling); the result is
the same as the stock chunked encode and decode.

Patterns repeat every 16 px, so inside a frame a network sees the same as on one 16 x 16 tile with
circular padding, at a sixteenth of the cost: the stage "tile" trains on that. The stage "decoder"
goes on with the decoder only (the latents stay what they are, so that the transformer can train at
the same time), and shows it whole frames with the stock zero padding too.
"""
import argparse, math, os, time
import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders import autoencoder_kl_wan as W
import data, training

CONFIG = dict(base_dim=16, z_dim=16, dim_mult=[1, 2, 4, 4], num_res_blocks=1, attn_scales=[],
              temperal_downsample=[False, True, True], latents_mean=[0.0] * 16, latents_std=[1.0] * 16)


def resample_full(self, x, feat_cache=None, feat_idx=[0]):
    if self.mode == "upsample3d" and x.shape[2] > 1:
        y = self.time_conv(x[:, :, 1:])
        b, c, t, h, w = y.shape
        y = y.view(b, 2, c // 2, t, h, w)
        y = torch.stack((y[:, 0], y[:, 1]), 3).reshape(b, c // 2, 2 * t, h, w)
        x = torch.cat([x[:, :, :1], y], 2)
    b, c, t, h, w = x.shape
    x = x.permute(0, 2, 1, 3, 4).reshape(b * t, c, h, w)
    x = conv2d_padded(self.resample, x) if circular and self.mode != "none" else self.resample(x)
    x = x.view(b, t, *x.shape[1:]).permute(0, 2, 1, 3, 4)
    if self.mode == "downsample3d" and t > 1:
        x = torch.cat([x[:, :, :1], self.time_conv(x)], 2)
    return x


STOCK_CONV = W.WanCausalConv3d.forward
circular = False


def conv3d_padded(self, x, cache_x=None):
    if not circular or cache_x is not None or self._padding[0] == 0:
        return STOCK_CONV(self, x, cache_x)
    x = F.pad(x, self._padding[:4] + (0, 0), mode="circular")
    return torch.nn.Conv3d.forward(self, F.pad(x, (0, 0, 0, 0) + self._padding[4:]))


def conv2d_padded(resample, x):
    """The resampling's Conv2d with its padding made circular."""
    conv = resample[1]
    if isinstance(resample[0], torch.nn.ZeroPad2d):
        x = F.pad(x, (0, 1, 0, 1), mode="circular")
    else:
        x = F.pad(resample[0](x), (1, 1, 1, 1), mode="circular")
    return F.conv2d(x, conv.weight, conv.bias, conv.stride)


STOCK_RESAMPLE = W.WanResample.forward


def use_full(on=True):
    W.WanResample.forward = resample_full if on else STOCK_RESAMPLE
    W.WanCausalConv3d.forward = conv3d_padded if on else STOCK_CONV


def set_circular(on):
    global circular
    circular = on


def encode_full(vae, x):
    return vae.quant_conv(vae.encoder(x)).chunk(2, 1)


def decode_full(vae, z):
    return vae.decoder(vae.post_quant_conv(z))


@torch.no_grad()
def init(vae):
    """Starts as a nearly linear code: means and slopes of each block on the way down, copies on the way up."""
    for name, m in vae.named_modules():
        if isinstance(m, W.WanResidualBlock):
            m.conv2.weight.zero_(), m.conv2.bias.zero_()
            if hasattr(m.conv_shortcut, "weight"):
                w = m.conv_shortcut.weight
                o, i = w.shape[:2]
                eye = torch.zeros(o, i)
                if o > i:  # x and -x, so that a later SiLU keeps both signs
                    eye[:i] = torch.eye(i)
                    eye[i : 2 * i] = -torch.eye(i)
                else:
                    eye = torch.nn.init.orthogonal_(torch.empty(o, i))
                w.copy_(eye.view(o, i, 1, 1, 1)), m.conv_shortcut.bias.zero_()
        elif isinstance(m, W.WanAttentionBlock):
            m.proj.weight.zero_(), m.proj.bias.zero_()
        elif isinstance(m, W.WanResample):
            conv = m.resample[1]
            o, i = conv.weight.shape[:2]
            conv.weight.mul_(0.1), conv.bias.zero_()
            if "down" in m.mode:  # box filter
                conv.weight[:, :, :2, :2] += 0.25 * torch.eye(o).view(o, i, 1, 1)
            else:
                conv.weight[:, :, 1, 1] += torch.nn.init.orthogonal_(torch.empty(o, i))
            if m.mode == "downsample3d":
                m.time_conv.weight.mul_(0.1), m.time_conv.bias.zero_()
                m.time_conv.weight[:, :, 1:, 0, 0] += 0.5 * torch.eye(o).view(o, o, 1)
            if m.mode == "upsample3d":
                m.time_conv.weight.mul_(0.1), m.time_conv.bias.zero_()
                m.time_conv.weight[:, :, 2, 0, 0] += torch.eye(i).repeat(2, 1)
    w, b = vae.encoder.conv_in.weight, vae.encoder.conv_in.bias  # colours, their slopes, a constant
    w.mul_(0.3), b.zero_()
    for c in range(3):
        for j in range(4):
            w[3 * j + c].zero_()
        w[c, c, 2, 1, 1] = 1
        w[3 + c, c, 2, 1, 2], w[3 + c, c, 2, 1, 0] = 1, -1
        w[6 + c, c, 2, 2, 1], w[6 + c, c, 2, 0, 1] = 1, -1
        w[9 + c, c, 2, 1, 1], w[9 + c, c, 0, 1, 1] = 1, -1
        w[13 + c].zero_()
        w[13 + c, c, 2, 0, 0], w[13 + c, c, 2, 2, 2], w[13 + c, c, 2, 0, 2], w[13 + c, c, 2, 2, 0] = 1, 1, -1, -1
    w[12].zero_()
    b[12] = 1.5
    # x and -x lie in channels c and 16 + c: SiLU(x) - SiLU(-x) = x
    w = vae.encoder.conv_out.weight
    w.mul_(0.2), vae.encoder.conv_out.bias.zero_()
    for c in range(16):
        gain = 1 if c < 3 else 3 if c < 12 else 6
        w[c, c, 2, 1, 1], w[c, 16 + c, 2, 1, 1] = gain, -gain
    vae.quant_conv.weight.zero_(), vae.quant_conv.bias.zero_()
    vae.quant_conv.weight[:, :, 0, 0, 0] = torch.eye(32)
    vae.quant_conv.weight[16:] *= 0.1
    vae.quant_conv.bias[16:] = -5
    vae.post_quant_conv.weight.zero_(), vae.post_quant_conv.bias.zero_()
    vae.post_quant_conv.weight[:, :, 0, 0, 0] = torch.eye(16)


def psnr(x, y):
    """Per clip, in dB, for values in [-1, 1]."""
    return -10 * torch.log10(((x - y).clamp(-2, 2) / 2).pow(2).flatten(1).mean(1))


def load_state(vae, path):
    vae.load_state_dict(torch.load(path, weights_only=True))


def run(rank, world, a):
    torch.manual_seed(7)
    use_full()
    vae = AutoencoderKLWan(**CONFIG)
    init(vae)
    if a.resume:
        load_state(vae, a.resume)
    for m in vae.modules():
        if isinstance(m, torch.nn.Conv3d):
            m.to(memory_format=torch.channels_last_3d)
        elif isinstance(m, torch.nn.Conv2d):
            m.to(memory_format=torch.channels_last)
    if a.stage == "decoder":
        vae.encoder.requires_grad_(False), vae.quant_conv.requires_grad_(False)
    params = [p for p in vae.parameters() if p.requires_grad]
    decay = [p for n, p in vae.named_parameters() if p.requires_grad and p.ndim > 2 and p.shape[0] > 3 and p.shape[1] > 1 and "gamma" not in n]
    ids = {id(p) for p in decay}
    other = [p for p in params if id(p) not in ids]
    opts = [training.Muon(decay, a.muon), torch.optim.AdamW(other, lr=a.lr, betas=(0.9, 0.98), weight_decay=0, foreach=True)]
    base = [a.muon, a.lr]
    ema = training.Ema(params, 0.99)
    train, held = data.split()
    torch.manual_seed(100 + rank)
    rng = np.random.default_rng(100 + rank)
    vrng = np.random.default_rng(5)
    val = torch.from_numpy(data.batch(held, vrng, 16)[1])
    std = torch.ones(1, 16, 1, 1, 1)
    start, step, last_save, run_db = time.time(), 0, time.time(), [None, None]
    while True:
        used = torch.tensor(time.time() - start)
        if world > 1:
            torch.distributed.broadcast(used, 0)
        p = used.item() / a.seconds
        if p >= 1:
            break
        lr = min(1, (step + 1) / 20) * (1 if p < a.hold else 0.03 + 0.97 * (1 - p) / (1 - a.hold))
        for o, b in zip(opts, base):
            for g in o.param_groups:
                g["lr"] = b * lr
        frame = a.stage == "decoder" and p > 0.4 and step % 4 == 0  # otherwise a tile
        set_circular(True)
        n = a.batch_frame if frame else a.batch
        _, x = data.batch(train, rng, n, width=16, height=16)
        x = torch.from_numpy(x)
        with torch.set_grad_enabled(a.stage == "tile"):
            mu, logvar = encode_full(vae, x)
        logvar = logvar.clamp(-30, 20)
        with torch.no_grad():
            s = mu.std((0, 2, 3, 4), keepdim=True)
            std = s if step < 3 else std * 0.98 + s * 0.02
        if frame:
            set_circular(False)
            x, mu, logvar = (v.repeat(1, 1, 1, 4, 4) for v in (x, mu, logvar))
        z = mu + torch.randn_like(mu) * ((a.noise * std) ** 2 + logvar.exp()).sqrt()
        y = decode_full(vae, z)
        with torch.no_grad():  # weight the edges of the pattern
            e = (x - F.avg_pool3d(F.pad(x, (1, 1, 1, 1, 1, 1), mode="replicate"), 3, 1)).abs().sum(1, keepdim=True)
            weight = 1 + e.clamp(max=1)
        d = (y - x) * weight
        mse = (y.detach() - x).pow(2).mean().item()
        kl = 0.5 * (mu.pow(2) + logvar.exp() - 1 - logvar).mean()
        loss = d.abs().mean() + 2 * d.pow(2).mean() + a.kl * kl
        loss.backward()
        training.average_gradients(params, world)
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        for o in opts:
            o.step()
            o.zero_grad(set_to_none=False)
        ema.update()
        step += 1
        db = -10 * math.log10(mse / 4)
        run_db[frame] = db if run_db[frame] is None else run_db[frame] * 0.95 + db * 0.05
        if rank == 0 and step % 20 == 0:
            text = " ".join(f"{k} {v:.2f}" for k, v in zip(("tile", "frame"), run_db) if v is not None)
            print(f"{time.time()-start:6.0f}s step {step} lr {lr:.2f} train dB {text} kl {kl.item():.1f} std {std.mean():.2f}", flush=True)
        if rank == 0 and time.time() - last_save > a.save_every:
            last_save = time.time()
            validate(vae, ema, val, a, "   ")
    if rank == 0:
        validate(vae, ema, val, a, f"end: {step} steps, {time.time()-start:.0f} s, ")


@torch.no_grad()
def validate(vae, ema, val, a, head):
    ema.swap()
    text = ""
    for name, on, x in (("tile", True, val[..., :16, :16]), ("frame", False, val)):
        if name == "frame" and a.stage != "decoder":
            continue
        set_circular(on)
        db = psnr(decode_full(vae, encode_full(vae, x)[0]).clamp(-1, 1), x)
        text += f"{name} {db.mean():.2f} dB (min {db.min():.2f}) "
    torch.save(vae.state_dict(), a.out + ".tmp")
    os.replace(a.out + ".tmp", a.out)
    ema.swap()
    print(head + text, flush=True)


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("--out", default="work/vae.pt")
    ap.add_argument("--resume")
    ap.add_argument("--seconds", type=float, default=1020)
    ap.add_argument("--stage", choices=["tile", "decoder"], default="tile")
    ap.add_argument("--hold", type=float, default=0.4, help="share of the time at the full learning rate")
    ap.add_argument("--save-every", type=float, default=60)
    ap.add_argument("--lr", type=float, default=1e-3)
    ap.add_argument("--muon", type=float, default=0.02)
    ap.add_argument("--batch", type=int, default=8)
    ap.add_argument("--batch-frame", type=int, default=1)
    ap.add_argument("--noise", type=float, default=0.2)
    ap.add_argument("--kl", type=float, default=1e-4)
    ap.add_argument("--world", type=int, default=2)
    a = ap.parse_args()
    os.makedirs(os.path.dirname(a.out) or ".", exist_ok=True)
    training.launch(run, a.world, a)
