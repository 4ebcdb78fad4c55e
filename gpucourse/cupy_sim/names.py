"""CuPy's public names and signatures (CuPy 14.2.0); written by list_cupy_names.py, not by hand."""

# one line a callable: its dotted name in CuPy and its parameters
SIGNATURES = """
all(a, axis=None, out=None, keepdims=False)
allclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False)
alltrue(a, axis=None, out=None, keepdims=False)
amax(a, axis=None, out=None, keepdims=False)
amin(a, axis=None, out=None, keepdims=False)
angle(z, deg=False)
any(a, axis=None, out=None, keepdims=False)
append(arr, values, axis=None)
apply_along_axis(func1d, axis, arr, *args, **kwargs)
apply_over_axes(func, a, axes)
arange(start, stop=None, step=1, dtype=None)
argmax(a, axis=None, dtype=None, out=None, keepdims=False)
argmin(a, axis=None, dtype=None, out=None, keepdims=False)
argpartition(a, kth, axis=-1)
argsort(a, axis=-1, kind=None)
argwhere(a)
around(a, decimals=0, out=None)
array(obj, dtype=None, copy=True, order='K', subok=False, ndmin=0, *, blocking=False)
array2string(a, *args, **kwargs)
array_equal(a1, a2, equal_nan=False)
array_equiv(a1, a2)
array_repr(arr, max_line_width=None, precision=None, suppress_small=None)
array_split(ary, indices_or_sections, axis=0)
array_str(arr, max_line_width=None, precision=None, suppress_small=None)
asanyarray(a, dtype=None, order=None, *, copy=None, blocking=False)
asarray(a, dtype=None, order=None, *, copy=None, blocking=False)
asarray_chkfinite(a, dtype=None, order=None)
ascontiguousarray(a, dtype=None)
asfarray(a, dtype=float)
asfortranarray(a, dtype=None)
asnumpy(a, stream=None, order='C', out=None, *, blocking=True)
astype(x, dtype, /, *, copy=True)
atleast_1d(*arys)
atleast_2d(*arys)
atleast_3d(*arys)
average(a, axis=None, weights=None, returned=False, *, keepdims=False)
bartlett(M)
base_repr(number, base=2, padding=0)
binary_repr(num, width=None)
bincount(x, weights=None, minlength=None)
blackman(M)
broadcast_arrays(*args)
broadcast_shapes(*args)
broadcast_to(array, shape)
byte_bounds(a)
can_cast(from_, to, casting='safe')
choose(a, choices, out=None, mode='raise')
clear_memo()
clip(a, a_min, a_max, out=None)
column_stack(tup)
common_type(*arrays)
compress(condition, a, axis=None, out=None)
concat(tup, axis=0, out=None, *, dtype=None, casting='same_kind')
concatenate(tup, axis=0, out=None, *, dtype=None, casting='same_kind')
convolve(a, v, mode='full')
copy(a, order='K')
copyto(dst, src, casting='same_kind', where=None)
corrcoef(a, y=None, rowvar=True, bias=None, ddof=None, *, dtype=None)
correlate(a, v, mode='valid')
count_nonzero(a, axis=None)
cov(a, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, *, dtype=None)
cross(a, b, axisa=-1, axisb=-1, axisc=-1, axis=None)
cumprod(a, axis=None, dtype=None, out=None)
cumproduct(a, axis=None, dtype=None, out=None)
cumsum(a, axis=None, dtype=None, out=None)
cumulative_prod(x, /, *, axis=None, dtype=None, out=None, include_initial=False)
cumulative_sum(x, /, *, axis=None, dtype=None, out=None, include_initial=False)
delete(arr, indices, axis=None)
diag(v, k=0)
diag_indices(n, ndim=2)
diag_indices_from(arr)
diagflat(v, k=0)
diagonal(a, offset=0, axis1=0, axis2=1)
diff(a, n=1, axis=-1, prepend=None, append=None)
digitize(x, bins, right=False)
disp(*args, **kwds)
dot(a, b, out=None)
dsplit(ary, indices_or_sections)
dstack(tup)
ediff1d(arr, to_end=None, to_begin=None)
einsum(*operands, **kwargs)
empty(shape, dtype=float, order='C')
empty_like(prototype, dtype=None, order='K', subok=None, shape=None)
expand_dims(a, axis)
extract(condition, a)
eye(N, M=None, k=0, dtype=float, order='C')
fill_diagonal(a, val, wrap=False)
find_common_type(*args, **kwds)
flatnonzero(a)
flip(a, axis=None)
fliplr(a)
flipud(a)
format_float_positional(x, *args, **kwargs)
format_float_scientific(x, *args, **kwargs)
fromDlpack(dltensor)
from_dlpack(array, *, device=None, copy=None)
frombuffer(*args, **kwargs)
fromfile(*args, **kwargs)
fromfunction(*args, **kwargs)
fromiter(*args, **kwargs)
fromstring(*args, **kwargs)
full(shape, fill_value, dtype=None, order='C')
full_like(a, fill_value, dtype=None, order='K', subok=None, shape=None)
fuse(*args, **kwargs)
genfromtxt(*args, **kwargs)
get_array_module(*args)
get_array_wrap(*args, **kwds)
get_default_memory_pool()
get_default_pinned_memory_pool()
get_printoptions()
gradient(f, *varargs, axis=None, edge_order=1)
hamming(M)
hanning(M)
histogram(x, bins=10, range=None, density=False, weights=None)
histogram2d(x, y, bins=10, range=None, weights=None, density=None)
histogramdd(sample, bins=10, range=None, weights=None, density=False)
hsplit(ary, indices_or_sections)
hstack(tup, *, dtype=None, casting='same_kind')
identity(n, dtype=float)
imag(val)
in1d(ar1, ar2, assume_unique=False, invert=False)
indices(dimensions, dtype=int)
inner(a, b)
interp(x, xp, fp, left=None, right=None, period=None)
intersect1d(arr1, arr2, assume_unique=False, return_indices=False)
is_available()
isclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False)
iscomplex(x)
iscomplexobj(x)
isdtype(dtype, kind)
isfortran(a)
isin(element, test_elements, assume_unique=False, invert=False)
isneginf(x, out=None)
isposinf(x, out=None)
isreal(x)
isrealobj(x)
isscalar(element)
issctype(rep)
issubclass_(arg1, arg2)
issubdtype(arg1, arg2)
issubsctype(arg1, arg2)
iterable(y)
ix_(*args)
kaiser(M, beta)
kron(a, b)
lexsort(keys)
linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0)
load(file, mmap_mode=None, allow_pickle=None)
loadtxt(*args, **kwargs)
logspace(start, stop, num=50, endpoint=True, base=10.0, dtype=None, axis=0)
make_aligned_dtype(dtype, *, alignment=-1, recurse=True)
mask_indices(n, mask_func, k=0)
matmul(*args, axes=None, axis=None, keepdims=False, casting='same_kind', dtype=None, signature=None, order='K', out=None)
matrix_transpose(x, /)
max(a, axis=None, out=None, keepdims=False)
may_share_memory(a, b, max_work=None)
mean(a, axis=None, dtype=None, out=None, keepdims=False)
median(a, axis=None, out=None, overwrite_input=False, keepdims=False)
memoize(for_each_device=False)
meshgrid(*xi, **kwargs)
min(a, axis=None, out=None, keepdims=False)
min_scalar_type(a)
mintypecode(typechars, typeset='GDFgdf', default='d')
moveaxis(a, source, destination)
msort(a)
nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None)
nanargmax(a, axis=None, dtype=None, out=None, keepdims=False)
nanargmin(a, axis=None, dtype=None, out=None, keepdims=False)
nancumprod(a, axis=None, dtype=None, out=None)
nancumsum(a, axis=None, dtype=None, out=None)
nanmax(a, axis=None, out=None, keepdims=False)
nanmean(a, axis=None, dtype=None, out=None, keepdims=False)
nanmedian(a, axis=None, out=None, overwrite_input=False, keepdims=False)
nanmin(a, axis=None, out=None, keepdims=False)
nanprod(a, axis=None, dtype=None, out=None, keepdims=False)
nanstd(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False)
nansum(a, axis=None, dtype=None, out=None, keepdims=False)
nanvar(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False)
ndim(a)
nonzero(a)
obj2sctype(rep, default=None)
ones(shape, dtype=float, order='C')
ones_like(a, dtype=None, order='K', subok=None, shape=None)
outer(a, b, out=None)
packbits(a, axis=None, bitorder='big')
pad(array, pad_width, mode='constant', **kwargs)
partition(a, kth, axis=-1)
percentile(a, q, axis=None, out=None, overwrite_input=False, method='linear', keepdims=False, *, interpolation=None)
permute_dims(a, axes=None)
piecewise(x, condlist, funclist)
place(arr, mask, vals)
poly(seq_of_zeros)
polyadd(a1, a2)
polyfit(x, y, deg, rcond=None, full=False, w=None, cov=False)
polymul(a1, a2)
polysub(a1, a2)
polyval(p, x)
printoptions(*args, **kwargs)
prod(a, axis=None, dtype=None, out=None, keepdims=False)
product(a, axis=None, dtype=None, out=None, keepdims=False)
promote_types(type1, type2, /)
ptp(a, axis=None, out=None, keepdims=False)
put(a, ind, v, mode='wrap')
put_along_axis(arr, indices, values, axis)
putmask(a, mask, values)
quantile(a, q, axis=None, out=None, overwrite_input=False, method='linear', keepdims=False, *, interpolation=None)
ravel(a, order='C')
ravel_multi_index(multi_index, dims, mode='wrap', order='C')
real(val)
real_if_close(a, tol=100)
repeat(a, repeats, axis=None)
require(a, dtype=None, requirements=None)
reshape(a, newshape, order='C', *, copy=None)
resize(a, new_shape)
result_type(*arrays_and_dtypes)
roll(a, shift, axis=None)
rollaxis(a, axis, start=0)
roots(p)
rot90(a, k=1, axes=(0, 1))
round(a, decimals=0, out=None)
round_(a, decimals=0, out=None)
row_stack(tup, *, dtype=None, casting='same_kind')
safe_eval(*args, **kwds)
save(file, arr, allow_pickle=None)
savetxt(fname, X, *args, **kwargs)
savez(file, *args, **kwds)
savez_compressed(file, *args, **kwds)
sctype2char(sctype)
searchsorted(a, v, side='left', sorter=None)
select(condlist, choicelist, default=0)
set_printoptions(precision=None, threshold=None, edgeitems=None, linewidth=None, suppress=None, nanstr=None, infstr=None, formatter=None, sign=None, floatmode=None, *, legacy=None, override_repr=None)
set_string_function(*args, **kwds)
setdiff1d(ar1, ar2, assume_unique=False)
setxor1d(ar1, ar2, assume_unique=False)
shape(a)
shares_memory(a, b, max_work=None)
show_config(*, _full=False)
size(a, axis=None)
sometrue(a, axis=None, out=None, keepdims=False)
sort(a, axis=-1, kind=None)
sort_complex(a)
split(ary, indices_or_sections, axis=0)
squeeze(a, axis=None)
stack(tup, axis=0, out=None, *, dtype=None, casting='same_kind')
std(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False)
sum(a, axis=None, dtype=None, out=None, keepdims=False)
swapaxes(a, axis1, axis2)
take(a, indices, axis=None, out=None)
take_along_axis(a, indices, axis)
tensordot(a, b, axes=2)
tile(A, reps)
trace(a, offset=0, axis1=0, axis2=1, dtype=None, out=None)
transpose(a, axes=None)
trapezoid(y, x=None, dx=1.0, axis=-1)
trapz(y, x=None, dx=1.0, axis=-1)
tri(N, M=None, k=0, dtype=float)
tril(m, k=0)
tril_indices(n, k=0, m=None)
tril_indices_from(arr, k=0)
trim_zeros(filt, trim='fb')
triu(m, k=0)
triu_indices(n, k=0, m=None)
triu_indices_from(arr, k=0)
typename(char)
union1d(arr1, arr2)
unique(ar, return_index=False, return_inverse=False, return_counts=False, axis=None, *, equal_nan=True)
unique_all(x)
unique_counts(x)
unique_inverse(x)
unique_values(x)
unpackbits(a, axis=None, bitorder='big')
unravel_index(indices, dims, order='C')
unwrap(p, discont=None, axis=-1, *, period=6.283185307179586)
vander(x, N=None, increasing=False)
var(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False)
vdot(a, b)
vsplit(ary, indices_or_sections)
vstack(tup, *, dtype=None, casting='same_kind')
where(condition, x=None, y=None)
who(vardict=None)
zeros(shape, dtype=float, order='C')
zeros_like(a, dtype=None, order='K', subok=None, shape=None)
linalg.cholesky(a)
linalg.cond(x, p=None)
linalg.cross(x1, x2, /, *, axis=-1)
linalg.det(a)
linalg.eig(a)
linalg.eigh(a, UPLO='L')
linalg.eigvals(a)
linalg.eigvalsh(a, UPLO='L')
linalg.inv(a)
linalg.lstsq(a, b, rcond=None)
linalg.matmul(*args, axes=None, axis=None, keepdims=False, casting='same_kind', dtype=None, signature=None, order='K', out=None)
linalg.matrix_power(M, n)
linalg.matrix_rank(M, tol=None)
linalg.matrix_transpose(a)
linalg.norm(x, ord=None, axis=None, keepdims=False)
linalg.pinv(a, rcond=1e-15)
linalg.qr(a, mode='reduced')
linalg.slogdet(a)
linalg.solve(a, b)
linalg.svd(a, full_matrices=True, compute_uv=True)
linalg.tensorinv(a, ind=2)
linalg.tensorsolve(a, b, axes=None)
fft.fft(a, n=None, axis=-1, norm=None)
fft.fft2(a, s=None, axes=(-2, -1), norm=None)
fft.fftfreq(n, d=1.0)
fft.fftn(a, s=None, axes=None, norm=None)
fft.fftshift(x, axes=None)
fft.hfft(a, n=None, axis=-1, norm=None)
fft.ifft(a, n=None, axis=-1, norm=None)
fft.ifft2(a, s=None, axes=(-2, -1), norm=None)
fft.ifftn(a, s=None, axes=None, norm=None)
fft.ifftshift(x, axes=None)
fft.ihfft(a, n=None, axis=-1, norm=None)
fft.irfft(a, n=None, axis=-1, norm=None)
fft.irfft2(a, s=None, axes=(-2, -1), norm=None)
fft.irfftn(a, s=None, axes=None, norm=None)
fft.rfft(a, n=None, axis=-1, norm=None)
fft.rfft2(a, s=None, axes=(-2, -1), norm=None)
fft.rfftfreq(n, d=1.0)
fft.rfftn(a, s=None, axes=None, norm=None)
random.beta(a, b, size=None, dtype=float)
random.binomial(n, p, size=None, dtype=int)
random.bytes(length)
random.chisquare(df, size=None, dtype=float)
random.choice(a, size=None, replace=True, p=None)
random.default_rng(seed=None)
random.dirichlet(alpha, size=None, dtype=float)
random.exponential(scale, size=None, dtype=float)
random.f(dfnum, dfden, size=None, dtype=float)
random.gamma(shape, scale=1.0, size=None, dtype=float)
random.geometric(p, size=None, dtype='l')
random.get_random_state()
random.gumbel(loc=0.0, scale=1.0, size=None, dtype=float)
random.hypergeometric(ngood, nbad, nsample, size=None, dtype='l')
random.laplace(loc=0.0, scale=1.0, size=None, dtype=float)
random.logistic(loc=0.0, scale=1.0, size=None, dtype=float)
random.lognormal(mean=0.0, sigma=1.0, size=None, dtype=float)
random.logseries(p, size=None, dtype='l')
random.multinomial(n, pvals, size=None)
random.multivariate_normal(mean, cov, size=None, check_valid='ignore', tol=1e-08, method='cholesky', dtype=float)
random.negative_binomial(n, p, size=None, dtype=int)
random.noncentral_chisquare(df, nonc, size=None, dtype=float)
random.noncentral_f(dfnum, dfden, nonc, size=None, dtype=float)
random.normal(loc=0.0, scale=1.0, size=None, dtype=float)
random.pareto(a, size=None, dtype=float)
random.permutation(a)
random.poisson(lam=1.0, size=None, dtype='l')
random.power(a, size=None, dtype=float)
random.rand(*size, **kwarg)
random.randint(low, high=None, size=None, dtype='l')
random.randn(*size, **kwarg)
random.random(size=None, dtype=float)
random.random_integers(low, high=None, size=None)
random.random_sample(size=None, dtype=float)
random.ranf(size=None, dtype=float)
random.rayleigh(scale=1.0, size=None, dtype=float)
random.reset_states()
random.sample(size=None, dtype=float)
random.seed(seed=None)
random.set_random_state(rs)
random.shuffle(a)
random.standard_cauchy(size=None, dtype=float)
random.standard_exponential(size=None, dtype=float)
random.standard_gamma(shape, size=None, dtype=float)
random.standard_normal(size=None, dtype=float)
random.standard_t(df, size=None, dtype=float)
random.triangular(left, mode, right, size=None, dtype=float)
random.uniform(low=0.0, high=1.0, size=None, dtype=float)
random.vonmises(mu, kappa, size=None, dtype=float)
random.wald(mean, scale, size=None, dtype=float)
random.weibull(a, size=None, dtype=float)
random.zipf(a, size=None, dtype=int)
ndarray.all(self, axis=None, out=None, keepdims=False)
ndarray.any(self, axis=None, out=None, keepdims=False)
ndarray.argmax(self, axis=None, out=None, dtype=None, keepdims=False)
ndarray.argmin(self, axis=None, out=None, dtype=None, keepdims=False)
ndarray.argpartition(self, kth, axis=-1)
ndarray.argsort(self, axis=-1, kind=None)
ndarray.astype(self, dtype, order='K', casting=None, subok=None, copy=True)
ndarray.byteswap(self, inplace=False)
ndarray.choose(self, choices, out=None, mode='raise')
ndarray.clip(self, min=None, max=None, out=None)
ndarray.compress(self, condition, axis=None, out=None)
ndarray.conj(self)
ndarray.conjugate(self)
ndarray.copy(self, order='C')
ndarray.cumprod(self, axis=None, dtype=None, out=None)
ndarray.cumsum(self, axis=None, dtype=None, out=None)
ndarray.diagonal(self, offset=0, axis1=0, axis2=1)
ndarray.dot(self, b, out=None)
ndarray.dump(self, file)
ndarray.dumps(self)
ndarray.fill(self, value)
ndarray.flatten(self, order='C')
ndarray.get(self, stream=None, order='C', out=None, blocking=True)
ndarray.item(self)
ndarray.max(self, axis=None, out=None, keepdims=False)
ndarray.mdspan(self, *, index_type, allow_unsafe=False)
ndarray.mean(self, axis=None, dtype=None, out=None, keepdims=False)
ndarray.min(self, axis=None, out=None, keepdims=False)
ndarray.nonzero(self)
ndarray.partition(self, kth, axis=-1)
ndarray.prod(self, axis=None, dtype=None, out=None, keepdims=None)
ndarray.ptp(self, axis=None, out=None, keepdims=False)
ndarray.put(self, indices, values, mode='wrap')
ndarray.ravel(self, order='C')
ndarray.reduced_view(self, dtype=None)
ndarray.repeat(self, repeats, axis=None)
ndarray.reshape(self, *shape, order='C', copy=None)
ndarray.round(self, decimals=0, out=None)
ndarray.scatter_add(self, slices, value)
ndarray.scatter_max(self, slices, value)
ndarray.scatter_min(self, slices, value)
ndarray.searchsorted(self, v, side='left', sorter=None)
ndarray.set(self, arr, stream=None)
ndarray.sort(self, axis=-1, kind=None)
ndarray.squeeze(self, axis=None)
ndarray.std(self, axis=None, dtype=None, out=None, ddof=0, keepdims=False)
ndarray.sum(self, axis=None, dtype=None, out=None, keepdims=False)
ndarray.swapaxes(self, axis1, axis2)
ndarray.take(self, indices, axis=None, out=None)
ndarray.toDlpack(self)
ndarray.tobytes(self, order='C')
ndarray.tofile(self, fid, sep='', format='%s')
ndarray.tolist(self)
ndarray.trace(self, offset=0, axis1=0, axis2=1, dtype=None, out=None)
ndarray.transpose(self, *axes)
ndarray.var(self, axis=None, dtype=None, out=None, ddof=0, keepdims=False)
ndarray.view(self, dtype=None, type=None)
random.RandomState.beta(self, a, b, size=None, dtype=float)
random.RandomState.binomial(self, n, p, size=None, dtype=int)
random.RandomState.chisquare(self, df, size=None, dtype=float)
random.RandomState.choice(self, a, size=None, replace=True, p=None)
random.RandomState.dirichlet(self, alpha, size=None, dtype=float)
random.RandomState.exponential(self, scale=1.0, size=None, dtype=float)
random.RandomState.f(self, dfnum, dfden, size=None, dtype=float)
random.RandomState.gamma(self, shape, scale=1.0, size=None, dtype=float)
random.RandomState.geometric(self, p, size=None, dtype='l')
random.RandomState.gumbel(self, loc=0.0, scale=1.0, size=None, dtype=float)
random.RandomState.hypergeometric(self, ngood, nbad, nsample, size=None, dtype='l')
random.RandomState.laplace(self, loc=0.0, scale=1.0, size=None, dtype=float)
random.RandomState.logistic(self, loc=0.0, scale=1.0, size=None, dtype=float)
random.RandomState.lognormal(self, mean=0.0, sigma=1.0, size=None, dtype=float)
random.RandomState.logseries(self, p, size=None, dtype='l')
random.RandomState.multivariate_normal(self, mean, cov, size=None, check_valid='ignore', tol=1e-08, method='cholesky', dtype=float)
random.RandomState.negative_binomial(self, n, p, size=None, dtype=int)
random.RandomState.noncentral_chisquare(self, df, nonc, size=None, dtype=float)
random.RandomState.noncentral_f(self, dfnum, dfden, nonc, size=None, dtype=float)
random.RandomState.normal(self, loc=0.0, scale=1.0, size=None, dtype=float)
random.RandomState.pareto(self, a, size=None, dtype=float)
random.RandomState.permutation(self, a)
random.RandomState.poisson(self, lam=1.0, size=None, dtype='l')
random.RandomState.power(self, a, size=None, dtype=float)
random.RandomState.rand(self, *size, **kwarg)
random.RandomState.randint(self, low, high=None, size=None, dtype=int)
random.RandomState.randn(self, *size, **kwarg)
random.RandomState.random_sample(self, size=None, dtype=float)
random.RandomState.rayleigh(self, scale=1.0, size=None, dtype=float)
random.RandomState.seed(self, seed=None)
random.RandomState.shuffle(self, a)
random.RandomState.standard_cauchy(self, size=None, dtype=float)
random.RandomState.standard_exponential(self, size=None, dtype=float)
random.RandomState.standard_gamma(self, shape, size=None, dtype=float)
random.RandomState.standard_normal(self, size=None, dtype=float)
random.RandomState.standard_t(self, df, size=None, dtype=float)
random.RandomState.tomaxint(self, size=None)
random.RandomState.triangular(self, left, mode, right, size=None, dtype=float)
random.RandomState.uniform(self, low=0.0, high=1.0, size=None, dtype=float)
random.RandomState.vonmises(self, mu, kappa, size=None, dtype=float)
random.RandomState.wald(self, mean, scale, size=None, dtype=float)
random.RandomState.weibull(self, a, size=None, dtype=float)
random.RandomState.zipf(self, a, size=None, dtype=int)
random.Generator.beta(self, a, b, size=None, dtype=float)
random.Generator.binomial(self, n, p, size=None)
random.Generator.chisquare(self, df, size=None)
random.Generator.dirichlet(self, alpha, size=None)
random.Generator.exponential(self, scale=1.0, size=None)
random.Generator.f(self, dfnum, dfden, size=None)
random.Generator.gamma(self, shape, scale=1.0, size=None)
random.Generator.geometric(self, p, size=None)
random.Generator.hypergeometric(self, ngood, nbad, nsample, size=None)
random.Generator.integers(self, low, high=None, size=None, dtype=int64, endpoint=False)
random.Generator.logseries(self, p, size=None)
random.Generator.poisson(self, lam=1.0, size=None)
random.Generator.power(self, a, size=None)
random.Generator.random(self, size=None, dtype=float, out=None)
random.Generator.standard_exponential(self, size=None, dtype=float, method='inv', out=None)
random.Generator.standard_gamma(self, shape, size=None, dtype=float, out=None)
random.Generator.standard_normal(self, size=None, dtype=float, out=None)
random.Generator.uniform(self, low=0.0, high=1.0, size=None, dtype=float)
"""

# one line a ufunc: its name, the name CuPy prints, inputs, outputs
UFUNCS = """
abs cupy_absolute 1 1
absolute cupy_absolute 1 1
acos cupy_arccos 1 1
acosh cupy_arccosh 1 1
add cupy_add 2 1
arccos cupy_arccos 1 1
arccosh cupy_arccosh 1 1
arcsin cupy_arcsin 1 1
arcsinh cupy_arcsinh 1 1
arctan cupy_arctan 1 1
arctan2 cupy_arctan2 2 1
arctanh cupy_arctanh 1 1
asin cupy_arcsin 1 1
asinh cupy_arcsinh 1 1
atan cupy_arctan 1 1
atan2 cupy_arctan2 2 1
atanh cupy_arctanh 1 1
bitwise_and cupy_bitwise_and 2 1
bitwise_count cupy_bitwise_count 1 1
bitwise_invert cupy_invert 1 1
bitwise_left_shift cupy_left_shift 2 1
bitwise_not cupy_invert 1 1
bitwise_or cupy_bitwise_or 2 1
bitwise_right_shift cupy_right_shift 2 1
bitwise_xor cupy_bitwise_xor 2 1
cbrt cupy_cbrt 1 1
ceil cupy_ceil 1 1
conj cupy_conjugate 1 1
conjugate cupy_conjugate 1 1
copysign cupy_copysign 2 1
cos cupy_cos 1 1
cosh cupy_cosh 1 1
deg2rad cupy_deg2rad 1 1
degrees cupy_rad2deg 1 1
divide cupy_true_divide 2 1
divmod cupy_divmod 2 2
equal cupy_equal 2 1
exp cupy_exp 1 1
exp2 cupy_exp2 1 1
expm1 cupy_expm1 1 1
fabs cupy_fabs 1 1
fix cupy_fix 1 1
float_power cupy_float_power 2 1
floor cupy_floor 1 1
floor_divide cupy_floor_divide 2 1
fmax cupy_fmax 2 1
fmin cupy_fmin 2 1
fmod cupy_fmod 2 1
frexp cupy_frexp 1 2
gcd cupy_gcd 2 1
greater cupy_greater 2 1
greater_equal cupy_greater_equal 2 1
heaviside cupy_heaviside 2 1
hypot cupy_hypot 2 1
i0 cupy_i0 1 1
invert cupy_invert 1 1
isfinite cupy_isfinite 1 1
isinf cupy_isinf 1 1
isnan cupy_isnan 1 1
lcm cupy_lcm 2 1
ldexp cupy_ldexp 2 1
left_shift cupy_left_shift 2 1
less cupy_less 2 1
less_equal cupy_less_equal 2 1
log cupy_log 1 1
log10 cupy_log10 1 1
log1p cupy_log1p 1 1
log2 cupy_log2 1 1
logaddexp cupy_logaddexp 2 1
logaddexp2 cupy_logaddexp2 2 1
logical_and cupy_logical_and 2 1
logical_not cupy_logical_not 1 1
logical_or cupy_logical_or 2 1
logical_xor cupy_logical_xor 2 1
maximum cupy_maximum 2 1
minimum cupy_minimum 2 1
mod cupy_remainder 2 1
modf cupy_modf 1 2
multiply cupy_multiply 2 1
negative cupy_negative 1 1
nextafter cupy_nextafter 2 1
not_equal cupy_not_equal 2 1
positive cupy_positive 1 1
pow cupy_power 2 1
power cupy_power 2 1
rad2deg cupy_rad2deg 1 1
radians cupy_deg2rad 1 1
reciprocal cupy_reciprocal 1 1
remainder cupy_remainder 2 1
right_shift cupy_right_shift 2 1
rint cupy_rint 1 1
sign cupy_sign 1 1
signbit cupy_signbit 1 1
sin cupy_sin 1 1
sinc cupy_sinc 1 1
sinh cupy_sinh 1 1
sqrt cupy_sqrt 1 1
square cupy_square 1 1
subtract cupy_subtract 2 1
tan cupy_tan 1 1
tanh cupy_tanh 1 1
true_divide cupy_true_divide 2 1
trunc cupy_trunc 1 1
"""

# every public name of each namespace, so that a missing one can be told from a misspelt one
NAMES = {
    "": """AxisError ComplexWarning DataSource ElementwiseKernel Inf Infinity ModuleDeprecationWarning NAN NINF NZERO NaN PINF PZERO RankWarning RawKernel RawModule ReductionKernel TooHardError VisibleDeprecationWarning abs absolute acos acosh add all allclose alltrue amax amin angle any append apply_along_axis apply_over_axes arange arccos arccosh arcsin arcsinh arctan arctan2 arctanh argmax argmin argpartition argsort argwhere around array array2string array_equal array_equiv array_repr array_split array_str asanyarray asarray asarray_chkfinite ascontiguousarray asfarray asfortranarray asin asinh asnumpy astype atan atan2 atanh atleast_1d atleast_2d atleast_3d average bartlett base_repr binary_repr bincount bitwise_and bitwise_count bitwise_invert bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor blackman bool bool_ broadcast broadcast_arrays broadcast_shapes broadcast_to byte byte_bounds c_ can_cast cbrt cdouble ceil cfloat choose clear_memo clip column_stack common_type complex128 complex64 complex_ complexfloating compress concat concatenate conj conjugate convolve copy copysign copyto corrcoef correlate cos cosh count_nonzero cov cross csingle cuda cumprod cumproduct cumsum cumulative_prod cumulative_sum deg2rad degrees delete diag diag_indices diag_indices_from diagflat diagonal diff digitize disable_experimental_feature_warning disp divide divmod dot double dsplit dstack dtype e ediff1d einsum empty empty_like equal euler_gamma exceptions exp exp2 expand_dims expm1 extract eye fabs fft fill_diagonal find_common_type finfo fix flatiter flatnonzero flip fliplr flipud float16 float32 float64 float_ float_power floating floor floor_divide fmax fmin fmod format_float_positional format_float_scientific format_parser frexp fromDlpack from_dlpack frombuffer fromfile fromfunction fromiter fromstring full full_like fuse gcd generic genfromtxt get_array_module get_array_wrap get_default_memory_pool get_default_pinned_memory_pool get_printoptions gradient greater greater_equal half hamming hanning heaviside histogram histogram2d histogramdd hsplit hstack hypot i0 identity iinfo imag in1d index_exp indices inexact inf infty inner int16 int32 int64 int8 int_ intc integer interp intersect1d intp invert is_available isclose iscomplex iscomplexobj isdtype isfinite isfortran isin isinf isnan isneginf isposinf isreal isrealobj isscalar issctype issubclass_ issubdtype issubsctype iterable ix_ kaiser kron lcm ldexp left_shift less less_equal lexsort lib linalg linspace load loadtxt log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not logical_or logical_xor logspace long longlong make_aligned_dtype mask_indices matmul matrix_transpose max maximum may_share_memory mean median memoize meshgrid mgrid min min_scalar_type minimum mintypecode mod modf moveaxis msort multiply nan nan_to_num nanargmax nanargmin nancumprod nancumsum nanmax nanmean nanmedian nanmin nanprod nanstd nansum nanvar ndarray ndim ndindex negative newaxis nextafter nonzero not_equal number obj2sctype ogrid ones ones_like outer packbits pad partition percentile permute_dims pi piecewise place poly poly1d polyadd polyfit polymul polynomial polysub polyval positive pow power printoptions prod product promote_types ptp put put_along_axis putmask quantile r_ rad2deg radians random ravel ravel_multi_index real real_if_close reciprocal remainder repeat require reshape resize result_type right_shift rint roll rollaxis roots rot90 round round_ row_stack s_ safe_eval save savetxt savez savez_compressed sctype2char searchsorted select set_printoptions set_string_function setdiff1d setxor1d shape shares_memory short show_config sign signbit signedinteger sin sinc single singlecomplex sinh size sometrue sort sort_complex split sqrt square squeeze stack std subtract sum swapaxes take take_along_axis tan tanh tensordot testing tile trace transpose trapezoid trapz tri tril tril_indices tril_indices_from trim_zeros triu triu_indices triu_indices_from true_divide trunc typename typing ubyte ufunc uint uint16 uint32 uint64 uint8 uintc uintp ulong ulonglong union1d unique unique_all unique_counts unique_inverse unique_values unpackbits unravel_index unsignedinteger unwrap ushort vander var vdot vectorize vsplit vstack where who zeros zeros_like""",
    "linalg": """LinAlgError cholesky cond cross det eig eigh eigvals eigvalsh inv lstsq matmul matrix_power matrix_rank matrix_transpose norm pinv qr slogdet solve svd tensorinv tensorsolve""",
    "fft": """config fft fft2 fftfreq fftn fftshift hfft ifft ifft2 ifftn ifftshift ihfft irfft irfft2 irfftn rfft rfft2 rfftfreq rfftn""",
    "random": """BitGenerator MRG32k3a Philox4x3210 RandomState XORWOW beta binomial bytes chisquare choice default_rng dirichlet exponential f gamma geometric get_random_state gumbel hypergeometric laplace logistic lognormal logseries multinomial multivariate_normal negative_binomial noncentral_chisquare noncentral_f normal pareto permutation poisson power rand randint randn random random_integers random_sample ranf rayleigh reset_states sample seed set_random_state shuffle standard_cauchy standard_exponential standard_gamma standard_normal standard_t triangular uniform vonmises wald weibull zipf""",
    "cuda": """BaseMemory CFunctionAllocator Device Event ExternalStream Function Graph ManagedMemory Memory MemoryAsync MemoryAsyncPool MemoryHook MemoryPointer MemoryPool Module PinnedMemory PinnedMemoryPointer PinnedMemoryPool PythonFunctionAllocator Stream UnownedMemory alloc alloc_pinned_memory common compiler contextlib cub device driver function get_allocator get_cublas_handle get_cuda_path get_current_stream get_device_id get_elapsed_time get_hipcc_path get_local_runtime_version get_nvcc_path get_rocm_path graph is_available malloc_async malloc_managed memory memory_hook memory_hooks nvrtc nvtx pinned_memory profile profiler runtime set_allocator set_pinned_memory_allocator stream texture thrust using_allocator warnings""",
    "cuda.runtime": """CUDARuntimeError CUDA_C_16F CUDA_C_32F CUDA_C_64F CUDA_C_8I CUDA_C_8U CUDA_R_16BF CUDA_R_16F CUDA_R_32F CUDA_R_64F CUDA_R_8I CUDA_R_8U MemPoolProps PointerAttributes check_status createSurfaceObject createTextureObject cudaAddressModeBorder cudaAddressModeClamp cudaAddressModeMirror cudaAddressModeWrap cudaArrayDefault cudaArraySurfaceLoadStore cudaChannelFormatKindFloat cudaChannelFormatKindNone cudaChannelFormatKindSigned cudaChannelFormatKindUnsigned cudaCpuDeviceId cudaDevAttrAsyncEngineCount cudaDevAttrCanFlushRemoteWrites cudaDevAttrCanMapHostMemory cudaDevAttrCanUseHostPointerForRegisteredMem cudaDevAttrClockRate cudaDevAttrComputeMode cudaDevAttrComputePreemptionSupported cudaDevAttrConcurrentKernels cudaDevAttrConcurrentManagedAccess cudaDevAttrCooperativeLaunch cudaDevAttrCooperativeMultiDeviceLaunch cudaDevAttrDirectManagedMemAccessFromHost cudaDevAttrEccEnabled cudaDevAttrGPUDirectRDMAFlushWritesOptions cudaDevAttrGPUDirectRDMASupported cudaDevAttrGPUDirectRDMAWritesOrdering cudaDevAttrGlobalL1CacheSupported cudaDevAttrGlobalMemoryBusWidth cudaDevAttrGpuOverlap cudaDevAttrHostNativeAtomicSupported cudaDevAttrHostRegisterReadOnlySupported cudaDevAttrHostRegisterSupported cudaDevAttrIntegrated cudaDevAttrIsMultiGpuBoard cudaDevAttrKernelExecTimeout cudaDevAttrL2CacheSize cudaDevAttrLocalL1CacheSupported cudaDevAttrManagedMemory cudaDevAttrMaxBlockDimX cudaDevAttrMaxBlockDimY cudaDevAttrMaxBlockDimZ cudaDevAttrMaxBlocksPerMultiprocessor cudaDevAttrMaxGridDimX cudaDevAttrMaxGridDimY cudaDevAttrMaxGridDimZ cudaDevAttrMaxPitch cudaDevAttrMaxRegistersPerBlock cudaDevAttrMaxRegistersPerMultiprocessor cudaDevAttrMaxSharedMemoryPerBlock cudaDevAttrMaxSharedMemoryPerBlockOptin cudaDevAttrMaxSharedMemoryPerMultiprocessor cudaDevAttrMaxSurface1DLayeredLayers cudaDevAttrMaxSurface1DLayeredWidth cudaDevAttrMaxSurface1DWidth cudaDevAttrMaxSurface2DHeight cudaDevAttrMaxSurface2DLayeredHeight cudaDevAttrMaxSurface2DLayeredLayers cudaDevAttrMaxSurface2DLayeredWidth cudaDevAttrMaxSurface2DWidth cudaDevAttrMaxSurface3DDepth cudaDevAttrMaxSurface3DHeight cudaDevAttrMaxSurface3DWidth cudaDevAttrMaxSurfaceCubemapLayeredLayers cudaDevAttrMaxSurfaceCubemapLayeredWidth cudaDevAttrMaxSurfaceCubemapWidth cudaDevAttrMaxTexture1DLayeredLayers cudaDevAttrMaxTexture1DLayeredWidth cudaDevAttrMaxTexture1DLinearWidth cudaDevAttrMaxTexture1DMipmappedWidth cudaDevAttrMaxTexture1DWidth cudaDevAttrMaxTexture2DGatherHeight cudaDevAttrMaxTexture2DGatherWidth cudaDevAttrMaxTexture2DHeight cudaDevAttrMaxTexture2DLayeredHeight cudaDevAttrMaxTexture2DLayeredLayers cudaDevAttrMaxTexture2DLayeredWidth cudaDevAttrMaxTexture2DLinearHeight cudaDevAttrMaxTexture2DLinearPitch cudaDevAttrMaxTexture2DLinearWidth cudaDevAttrMaxTexture2DMipmappedHeight cudaDevAttrMaxTexture2DMipmappedWidth cudaDevAttrMaxTexture2DWidth cudaDevAttrMaxTexture3DDepth cudaDevAttrMaxTexture3DDepthAlt cudaDevAttrMaxTexture3DHeight cudaDevAttrMaxTexture3DHeightAlt cudaDevAttrMaxTexture3DWidth cudaDevAttrMaxTexture3DWidthAlt cudaDevAttrMaxTextureCubemapLayeredLayers cudaDevAttrMaxTextureCubemapLayeredWidth cudaDevAttrMaxTextureCubemapWidth cudaDevAttrMaxThreadsPerBlock cudaDevAttrMaxThreadsPerMultiProcessor cudaDevAttrMaxTimelineSemaphoreInteropSupported cudaDevAttrMemoryClockRate cudaDevAttrMemoryPoolSupportedHandleTypes cudaDevAttrMemoryPoolsSupported cudaDevAttrMultiGpuBoardGroupID cudaDevAttrMultiProcessorCount cudaDevAttrPageableMemoryAccess cudaDevAttrPageableMemoryAccessUsesHostPageTables cudaDevAttrPciBusId cudaDevAttrPciDeviceId cudaDevAttrPciDomainId cudaDevAttrReserved92 cudaDevAttrReserved93 cudaDevAttrReserved94 cudaDevAttrReservedSharedMemoryPerBlock cudaDevAttrSingleToDoublePrecisionPerfRatio cudaDevAttrSparseCudaArraySupported cudaDevAttrStreamPrioritiesSupported cudaDevAttrSurfaceAlignment cudaDevAttrTccDriver cudaDevAttrTextureAlignment cudaDevAttrTexturePitchAlignment cudaDevAttrTotalConstantMemory cudaDevAttrUnifiedAddressing cudaDevAttrWarpSize cudaFilterModeLinear cudaFilterModePoint cudaGraphDebugDotFlagsConditionalNodeParams cudaGraphDebugDotFlagsEventNodeParams cudaGraphDebugDotFlagsExtSemasSignalNodeParams cudaGraphDebugDotFlagsExtSemasWaitNodeParams cudaGraphDebugDotFlagsHandles cudaGraphDebugDotFlagsHostNodeParams cudaGraphDebugDotFlagsKernelNodeAttributes cudaGraphDebugDotFlagsKernelNodeParams cudaGraphDebugDotFlagsMemcpyNodeParams cudaGraphDebugDotFlagsMemsetNodeParams cudaGraphDebugDotFlagsVerbose cudaInvalidDeviceId cudaIpcMemLazyEnablePeerAccess cudaLimitDevRuntimePendingLaunchCount cudaLimitDevRuntimeSyncDepth cudaLimitMallocHeapSize cudaLimitMaxL2FetchGranularity cudaLimitPrintfFifoSize cudaLimitStackSize cudaMemAdviseSetAccessedBy cudaMemAdviseSetPreferredLocation cudaMemAdviseSetReadMostly cudaMemAdviseUnsetAccessedBy cudaMemAdviseUnsetPreferredLocation cudaMemAdviseUnsetReadMostly cudaMemAllocationTypePinned cudaMemAttachGlobal cudaMemAttachHost cudaMemAttachSingle cudaMemHandleTypeNone cudaMemHandleTypePosixFileDescriptor cudaMemLocationTypeDevice cudaMemLocationTypeHost cudaMemLocationTypeHostNuma cudaMemLocationTypeHostNumaCurrent cudaMemLocationTypeInvalid cudaMemPoolAttrReleaseThreshold cudaMemPoolAttrReservedMemCurrent cudaMemPoolAttrReservedMemHigh cudaMemPoolAttrUsedMemCurrent cudaMemPoolAttrUsedMemHigh cudaMemPoolReuseAllowInternalDependencies cudaMemPoolReuseAllowOpportunistic cudaMemPoolReuseFollowEventDependencies cudaMemoryTypeDevice cudaMemoryTypeHost cudaReadModeElementType cudaReadModeNormalizedFloat cudaResourceTypeArray cudaResourceTypeLinear cudaResourceTypeMipmappedArray cudaResourceTypePitch2D destroySurfaceObject destroyTextureObject deviceCanAccessPeer deviceDisablePeerAccess deviceEnablePeerAccess deviceGetAttribute deviceGetByPCIBusId deviceGetDefaultMemPool deviceGetLimit deviceGetMemPool deviceGetPCIBusId deviceSetLimit deviceSetMemPool deviceSynchronize driverGetVersion eventBlockingSync eventCreate eventCreateWithFlags eventDefault eventDestroy eventDisableTiming eventElapsedTime eventInterprocess eventQuery eventRecord eventSynchronize free freeArray freeAsync freeHost getDevice getDeviceCount getDeviceProperties graphDebugDotPrint graphDestroy graphExecDestroy graphInstantiate graphLaunch graphUpload hostAlloc hostAllocDefault hostAllocMapped hostAllocPortable hostAllocWriteCombined hostRegister hostUnregister ipcCloseMemHandle ipcGetEventHandle ipcGetMemHandle ipcOpenEventHandle ipcOpenMemHandle is_hip launchHostFunc malloc malloc3DArray mallocArray mallocAsync mallocFromPoolAsync mallocManaged memAdvise memGetInfo memPoolCreate memPoolDestroy memPoolGetAttribute memPoolSetAttribute memPoolTrimTo memPrefetchAsync memcpy memcpy2D memcpy2DAsync memcpy2DFromArray memcpy2DFromArrayAsync memcpy2DToArray memcpy2DToArrayAsync memcpy3D memcpy3DAsync memcpyAsync memcpyDefault memcpyDeviceToDevice memcpyDeviceToHost memcpyHostToDevice memcpyHostToHost memcpyPeer memcpyPeerAsync memoryTypeDevice memoryTypeHost memoryTypeManaged memoryTypeUnregistered memset memsetAsync pointerGetAttributes pointerGetMemoryType profilerStart profilerStop runtimeGetVersion setDevice streamAddCallback streamBeginCapture streamCaptureModeGlobal streamCaptureModeRelaxed streamCaptureModeThreadLocal streamCaptureStatusActive streamCaptureStatusInvalidated streamCaptureStatusNone streamCreate streamCreateWithFlags streamCreateWithPriority streamDefault streamDestroy streamEndCapture streamGetFlags streamGetPriority streamIsCapturing streamLegacy streamNonBlocking streamPerThread streamQuery streamSynchronize streamWaitEvent""",
    "testing": """AssertFunctionIsCalled NumpyAliasBasicTestBase NumpyAliasValuesTestBase assert_allclose assert_array_almost_equal assert_array_almost_equal_nulp assert_array_equal assert_array_less assert_array_list_equal assert_array_max_ulp assert_warns fix_random for_CF_orders for_all_dtypes for_all_dtypes_combination for_complex_dtypes for_contiguous_axes for_dtypes for_dtypes_combination for_float_dtypes for_int_dtypes for_int_dtypes_combination for_orders for_signed_dtypes for_signed_dtypes_combination for_unsigned_dtypes for_unsigned_dtypes_combination generate_matrix generate_seed installed multi_gpu numpy_cupy_allclose numpy_cupy_array_almost_equal numpy_cupy_array_almost_equal_nulp numpy_cupy_array_equal numpy_cupy_array_less numpy_cupy_array_list_equal numpy_cupy_array_max_ulp numpy_cupy_equal numpy_cupy_raises numpy_satisfies parameterize product product_dict shaped_arange shaped_linspace shaped_random shaped_reverse_arange shaped_sparse_random slow with_requires""",
    "exceptions": """AxisError ComplexWarning ModuleDeprecationWarning RankWarning TooHardError VisibleDeprecationWarning numpy""",
    "ndarray": """T all any argmax argmin argpartition argsort astype base byteswap choose clip compress conj conjugate copy cstruct cumprod cumsum data device diagonal dot dtype dump dumps fill flags flat flatten get imag item itemsize mT max mdspan mean min nbytes ndim nonzero partition prod ptp put ravel real reduced_view repeat reshape round scatter_add scatter_max scatter_min searchsorted set shape size sort squeeze std strides sum swapaxes take toDlpack tobytes tofile tolist trace transpose var view""",
    "random.RandomState": """beta binomial chisquare choice dirichlet exponential f gamma geometric gumbel hypergeometric laplace logistic lognormal logseries multivariate_normal negative_binomial noncentral_chisquare noncentral_f normal pareto permutation poisson power rand randint randn random_sample rayleigh seed shuffle standard_cauchy standard_exponential standard_gamma standard_normal standard_t tomaxint triangular uniform vonmises wald weibull zipf""",
    "random.Generator": """beta binomial chisquare dirichlet exponential f gamma geometric hypergeometric integers logseries poisson power random standard_exponential standard_gamma standard_normal uniform""",
}
